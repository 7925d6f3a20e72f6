"""The CapabilityStatement says what it was told, and is FHIR itself."""

from carekeep.fhir import ResourceCapability, SearchParameterFacts, ServerFacts, capability_statement, validate

SERVER = ServerFacts(
    software_version="1.2.3",
    base_url="https://localhost:8443/fhir",
    published="2026-11-24",
    security="Bearer tokens; every access is decided and recorded.",
    resources=[
        ResourceCapability(
            "Patient",
            ("read", "vread", "update", "search-type"),
            (SearchParameterFacts("family", "string", "http://hl7.org/fhir/SearchParameter/individual-family"),),
            conditional_create=True,
        ),
        ResourceCapability("Basic", ("read",)),
    ],
    system_interactions=("transaction", "batch"),
    patch_formats=("application/json-patch+json",),
)


def test_it_is_valid() -> None:
    assert validate(capability_statement(SERVER)) == ()


def test_it_is_valid_of_a_server_that_can_do_nothing() -> None:
    nothing = ServerFacts("0", "https://example.org/fhir", "2026", "No one may do anything.", [])
    assert validate(capability_statement(nothing)) == ()


def test_it_says_what_it_was_told() -> None:
    statement = capability_statement(SERVER)
    rest = statement["rest"][0]
    basic, patient = rest["resource"]
    assert statement["software"]["version"] == "1.2.3"
    assert statement["implementation"]["url"] == "https://localhost:8443/fhir"
    assert (basic["type"], patient["type"]) == ("Basic", "Patient")
    assert [each["code"] for each in patient["interaction"]] == ["read", "vread", "update", "search-type"]
    assert patient["searchParam"][0]["name"] == "family"
    assert (patient["conditionalCreate"], patient["conditionalUpdate"], basic["readHistory"]) == (True, False, False)
    assert "searchParam" not in basic
    assert [each["code"] for each in rest["interaction"]] == ["transaction", "batch"]
