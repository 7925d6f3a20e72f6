"""What illness adds to a chart: the visits of long illnesses, cancer, episodes, pregnancy, a stay in the ward."""

from datetime import date, datetime, time, timedelta

from carekeep.simulation import catalogue
from carekeep.simulation.courses import CANCER_TREATMENT, EPISODES, PSYCHOTHERAPY, Effect, Episode, Problem
from carekeep.simulation.staff import Clinician
from carekeep.simulation.visits import Story, panel, vital_signs

_DAY = timedelta(days=1)
_PREGNANCY = 280
_CHILD, _SENIOR = 15, 65
_SUBJECTS = ("sleep and daily rhythm", "conflict at work", "grief", "fear of relapse", "the relationship with a parent")


def affect(story: Story) -> None:
    """Let all long illnesses act on the body, before anything is measured."""
    for problem in story.profile.problems:
        delay = min((days for days, _ in problem.course.medications), default=30)
        story.body.suffer(problem.course.effects, problem.onset, delay)


def course(story: Story, problem: Problem) -> str:
    """A long illness: its condition, visits with panels and notes, prescriptions; the condition's reference."""
    long, random = problem.course, story.random
    clinician = story.profile.physician(long.department)
    condition = story.scribe.condition(long.key, problem.onset, clinician, meta=long.meta)
    visits = _visits(story, problem, clinician)
    renewals = _renewals(problem, visits)
    for number, when in enumerate(visits):
        end = when + timedelta(minutes=55 if long.talk else 25)
        encounter = story.scribe.encounter(
            "AMB", "follow-up", clinician, when, end, condition=condition, meta=long.meta
        )
        vital_signs(story, when, encounter, full=False)
        for key in long.panels:
            panel(story, key, when, encounter, long.meta)
        for key, last in renewals.get(number, ()):
            status = "active" if last and story.alive else "completed"
            days = 365 if last else 90
            story.scribe.prescribe(
                key, when, clinician, condition, status=status, days=days, encounter=encounter, meta=long.meta
            )
        if long.procedure and random.random() < 0.35:
            story.scribe.procedure(long.procedure, when, clinician, encounter, minutes=20, condition=condition)
        if long.talk:
            _talk(story, problem, when, clinician, encounter, condition)
        else:
            text = f"Follow-up: {long.key}. Takes the medicine as agreed; findings as recorded. Plan unchanged."
            story.scribe.note("progress", f"Follow-up, {long.key}", text, end, clinician, encounter, long.meta)
    return condition


def _visits(story: Story, problem: Problem, clinician: Clinician) -> list[datetime]:
    """The visits of a long illness within the time that the chart tells, from the diagnosis on."""
    rate = problem.course.visits_a_year
    found: list[datetime] = []
    if not rate:
        return found
    day = max(problem.onset, story.begin)
    end = story.limit.date()
    while day <= end:
        when = story.attend(clinician, day)
        if when:
            found.append(when)
        day += timedelta(days=int(365 / rate * story.random.uniform(0.8, 1.2)))
    return found


def _renewals(problem: Problem, visits: list[datetime]) -> dict[int, list[tuple[str, bool]]]:
    """At which visits (by number) each medication is prescribed, about yearly, and whether it is the last time."""
    renewals: dict[int, list[tuple[str, bool]]] = {}
    for delay, key in problem.course.medications:
        begun = problem.onset + timedelta(days=delay)
        numbers: list[int] = []
        for number, when in enumerate(visits):
            due = when.date() + timedelta(days=30) >= begun
            if due and (not numbers or when - visits[numbers[-1]] > timedelta(days=330)):
                numbers.append(number)
        for number in numbers:
            renewals.setdefault(number, []).append((key, number == numbers[-1]))
    return renewals


def _talk(story: Story, problem: Problem, when: datetime, clinician: Clinician, encounter: str, condition: str) -> None:
    """A visit in psychiatry: a score or a drug test, and a psychotherapy note under the strictest label."""
    scribe, meta, subject = story.scribe, problem.course.meta, story.random.choice(_SUBJECTS)
    if problem.course.key == "depression":
        score = min(27.0, story.body.measure("phq-9", when.date()))
        scribe.observe("phq-9", score, when, encounter, scribe.person(clinician), meta=meta)
    elif problem.course.key == "opioid dependence":
        result = catalogue.ANSWERS["detected" if story.random.random() < 0.2 else "not detected"]
        scribe.answer(catalogue.QUESTIONS["opiates"], result, when, encounter, story.hospital, meta=meta)
    scribe.procedure("psychotherapy", when, clinician, encounter, minutes=50, condition=condition, meta=meta)
    text = f"Session with {story.profile.member.given[0]}: {subject}. Content is for the therapist's eyes only."
    scribe.note(
        "progress", "Psychotherapy note", text, when + timedelta(minutes=50), clinician, encounter, PSYCHOTHERAPY
    )


def cancer(story: Story, problem: Problem, condition: str) -> None:
    """Diagnosis by pathology, then operation, chemotherapy cycles and radiation, as far as they have come."""
    key = problem.course.key
    scribe, oncologist = story.scribe, story.profile.physician("oncology")
    for number, (days, procedure, medication) in enumerate(CANCER_TREATMENT[key]):
        doctor = story.profile.physician("surgery") if procedure == "lumpectomy" else oncologist
        when = story.attend(doctor, problem.onset + timedelta(days=days))
        if when is None:
            return
        end = when + timedelta(hours=2)
        encounter = scribe.encounter("AMB", "follow-up", doctor, when, end, condition=condition)
        scribe.procedure(procedure, when, doctor, encounter, minutes=90, condition=condition)
        if number == 0:
            conclusion = f"Findings consistent with {catalogue.CONDITIONS[key]['text'].lower()}."
            scribe.report(
                catalogue.QUESTIONS["pathology"], "PAT", when, encounter, story.hospital, conclusion=conclusion
            )
        if procedure == "lumpectomy":
            scribe.note("operation", "Operation", "Tumour removed with clear margins.", end, doctor, encounter)
        if medication:
            panel(story, "blood count", when, encounter)
            scribe.prescribe(medication, when, doctor, condition, status="completed", days=1, encounter=encounter)


def episodes(story: Story) -> None:
    """The short illnesses of the years that the chart tells, at the rates of the patient's age."""
    member, random = story.profile.member, story.random
    years = (story.limit.date() - story.begin).days / 365.25
    age = member.age(story.limit.date())
    band = 0 if age < _CHILD else 1 if age < _SENIOR else 2
    for episode in EPISODES:
        if episode.sex and episode.sex != member.sex:
            continue
        expected = episode.rates[band] * years
        while expected > 0 and random.random() < expected:
            expected -= 1
            day = story.begin + timedelta(days=random.randrange(max(1, int(years * 365))))
            _episode(story, episode, day)


def _episode(story: Story, episode: Episode, day: date) -> None:
    scribe, profile = story.scribe, story.profile
    primary = profile.primary if episode.department == "family" else profile.physician(episode.department)
    when = story.attend(primary, day, daytime=episode.setting == "AMB")
    if when is None:
        return
    stay = timedelta(days=story.random.randint(2, 6)) if episode.setting == "IMP" else timedelta(minutes=20)
    if episode.setting == "EMER":
        stay = timedelta(hours=story.random.randint(1, 4))
    end = when + stay
    if end > story.limit:
        return
    healed = when.date() + timedelta(days=episode.days)
    over = healed <= story.limit.date()
    condition = scribe.condition(episode.key, when, primary, abated=healed if over else None, chronic=False)
    story.body.suffer((*episode.effects, Effect("heart rate", 6, 0, 3)), when.date(), 1)
    visit = {"AMB": "symptom", "EMER": "emergency", "IMP": "admission"}[episode.setting]
    encounter = scribe.encounter(episode.setting, visit, primary, when, end, condition=condition)
    _treat(story, episode, primary, when, end, encounter, condition)
    if episode.medication:
        status = "completed" if over else "active"
        scribe.prescribe(episode.medication, end, primary, condition, status=status, days=10, encounter=encounter)
    again = story.attend(profile.primary, end.date() + timedelta(days=9)) if episode.follow_up else None
    if again:
        later = scribe.encounter(
            "AMB", "follow-up", profile.primary, again, again + timedelta(minutes=15), condition=condition
        )
        vital_signs(story, again, later, full=False)


def _treat(
    story: Story, episode: Episode, doctor: Clinician, when: datetime, end: datetime, encounter: str, condition: str
) -> None:
    """What is done during an episode's encounter, and its note."""
    scribe = story.scribe
    vital_signs(story, when, encounter, full=episode.setting != "AMB")
    soon = when + timedelta(minutes=15)
    for key in episode.panels:
        panel(story, key, soon, encounter)
    if episode.setting == "IMP":
        for number in range(1, (end - when).days):
            vital_signs(story, when + number * _DAY, encounter, full=True)
    if episode.key == "urinary infection":
        scribe.answer(
            catalogue.QUESTIONS["urine culture"], catalogue.ANSWERS["escherichia coli"], soon, encounter, story.hospital
        )
    if episode.imaging:
        conclusion = f"Findings consistent with {catalogue.CONDITIONS[episode.key]['text'].lower()}."
        scribe.report(catalogue.QUESTIONS["imaging"], "RAD", soon, encounter, story.hospital, conclusion=conclusion)
    if episode.procedure:
        scribe.procedure(episode.procedure, soon, doctor, encounter, minutes=15, condition=condition)
    kind = {"AMB": "progress", "EMER": "emergency", "IMP": "discharge"}[episode.setting]
    text = f"{story.profile.member.name} came with {episode.key}. Treated as recorded; course without complications."
    scribe.note(kind, episode.key.capitalize(), text, end, doctor, encounter)


def pregnancies(story: Story) -> None:
    """The pregnancies that ended in the births of this household's children, and one that goes on."""
    profile = story.profile
    if profile.member.sex != "female" or profile.member.role not in {"head", "partner"}:
        return
    for child in profile.household.having("child"):
        if child.birth > story.begin + timedelta(days=_PREGNANCY):
            _pregnancy(story, child.birth - timedelta(days=_PREGNANCY), child.birth)
    if profile.pregnant_since:
        _pregnancy(story, profile.pregnant_since, None)


def _pregnancy(story: Story, since: date, born: date | None) -> None:
    scribe, doctor = story.scribe, story.profile.physician("obstetrics")
    condition = scribe.condition("pregnancy", since + timedelta(days=40), doctor, abated=born)
    last = born or story.limit.date()
    day = since + timedelta(days=60)
    first = True
    while day < last:
        when = story.attend(doctor, day)
        if when is None or when.date() >= last:
            break
        encounter = scribe.encounter("AMB", "prenatal", doctor, when, when + timedelta(minutes=25), condition=condition)
        vital_signs(story, when, encounter, full=False)
        value = story.body.measure("fetal heart rate", when.date())
        scribe.observe("fetal heart rate", value, when, encounter, scribe.person(doctor))
        if first:
            panel(story, "blood count", when, encounter)
            scribe.procedure("ultrasound", when, doctor, encounter, minutes=20, condition=condition)
        first = False
        day += timedelta(days=30 if (day - since).days < 200 else 15)
    if born:
        _birth(story, born, doctor, condition)


def _birth(story: Story, born: date, doctor: Clinician, condition: str) -> None:
    when = datetime.combine(born, time(story.random.randrange(20)), story.now.tzinfo)
    end = when + timedelta(days=2)
    if end > story.limit:
        return
    scribe = story.scribe
    encounter = scribe.encounter("IMP", "admission", doctor, when, end, condition=condition)
    vital_signs(story, when, encounter, full=True)
    kind = "cesarean" if story.random.random() < 0.25 else "delivery"
    scribe.procedure(kind, when + timedelta(hours=3), doctor, encounter, minutes=60, condition=condition)
    text = "Delivery of a healthy child; mother and child well at discharge."
    scribe.note("discharge", "Delivery", text, end, doctor, encounter)


def stay(story: Story, problem: str | None) -> None:
    """An admission to the ward that has not ended: measurements of each day until now. ``problem``: why, if known."""
    if not story.profile.admitted:
        return
    scribe, doctor = story.scribe, story.profile.physician("medicine")
    days = story.random.randint(1, 4)
    when = story.limit - timedelta(days=days, hours=3)
    if when.date() < story.profile.member.birth:
        return
    condition = problem or scribe.condition("pneumonia", when, doctor, chronic=False)
    encounter = scribe.encounter("IMP", "admission", doctor, when, None, condition=condition)
    for number in range(days * 2):
        moment = when + number * timedelta(hours=12)
        vital_signs(story, moment, encounter, full=True)
    panel(story, "metabolic", when, encounter)
    text = f"Admitted for observation. {story.profile.member.name} is stable; treatment under way."
    scribe.note("history", "Admission", text, when, doctor, encounter)
