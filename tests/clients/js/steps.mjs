// What both journeys share: where the server is, who asks, and a way to say what was expected.

export const base = process.env.FHIR_BASE;
export const token = process.env.FHIR_TOKEN;

export function expect(right, what) {
  if (!right) {
    throw new Error(`expected: ${what}`);
  }
}

export async function refused(promise, status) {
  try {
    await promise;
  } catch (error) {
    const found = error.response?.status ?? error.status ?? error.outcome?.issue?.[0]?.code;
    expect(found !== undefined, `a refusal that says why, not ${error}`);
    expect(status === undefined || found === status, `${status}, not ${found}`);
    return;
  }
  throw new Error(`expected a refusal with ${status}`);
}

export const pulse = (patient, day) => ({
  resourceType: 'Observation',
  status: 'final',
  code: { coding: [{ system: 'http://loinc.org', code: '8867-4' }] },
  subject: { reference: `Patient/${patient}` },
  effectiveDateTime: `2026-06-0${day}`,
  valueQuantity: { value: 60 + day, unit: '/min', system: 'http://unitsofmeasure.org', code: '/min' },
});

export const urn = 'urn:uuid:4a0a1c3e-5c1c-4b3a-9d8f-0d6c3b5a7e01';

export const transaction = (family) => ({
  resourceType: 'Bundle',
  type: 'transaction',
  entry: [
    {
      fullUrl: urn,
      resource: { resourceType: 'Patient', name: [{ family }] },
      request: { method: 'POST', url: 'Patient' },
    },
    {
      resource: { ...pulse('x', 1), subject: { reference: urn } },
      request: { method: 'POST', url: 'Observation' },
    },
  ],
});
