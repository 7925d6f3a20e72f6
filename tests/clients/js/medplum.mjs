// The journey of an app that is written with Medplum's client.
import { MedplumClient } from '@medplum/core';
import { expect, pulse, refused, token, transaction } from './steps.mjs';

const base = new URL(process.env.FHIR_BASE);
const client = new MedplumClient({
  baseUrl: `${base.origin}/`,
  fhirUrlPath: 'fhir',
  accessToken: token,
  cacheTime: 0,
});
const mrn = `https://example.org/mrn|medplum-${Date.now()}`;
const [system, value] = mrn.split('|');

const created = await client.createResource({
  resourceType: 'Patient',
  name: [{ family: 'Medplumclient' }],
  identifier: [{ system, value }],
});
const read = await client.readResource('Patient', created.id);
expect(read.name[0].family === 'Medplumclient', 'the name that was written');

const updated = await client.updateResource({ ...read, active: true }, { headers: { 'If-Match': 'W/"1"' } });
expect(updated.meta.versionId === '2', 'a second version');
await refused(client.updateResource({ ...read, active: false }, { headers: { 'If-Match': 'W/"1"' } }));

const again = await client.createResourceIfNoneExist(
  { resourceType: 'Patient', identifier: [{ system, value }] },
  `identifier=${encodeURIComponent(mrn)}`,
);
expect(again.id === created.id, 'conditional create to find what is there');

const patched = await client.patchResource('Patient', created.id, [{ op: 'replace', path: '/active', value: false }]);
expect(patched.active === false, 'the patched value');

for (let day = 1; day <= 5; day += 1) {
  await client.createResource(pulse(created.id, day));
}
const found = await client.searchResources('Observation', { patient: `Patient/${created.id}`, date: 'ge2026-06-04' });
expect(found.length === 2, 'two since the fourth');
let paged = 0;
for await (const page of client.searchResourcePages('Observation', { patient: created.id, _count: '2' })) {
  paged += page.length;
}
expect(paged === 5, 'five over all pages');

const answer = await client.executeBatch(transaction('Medplumtransaction'));
expect(answer.entry.every((entry) => entry.response.status.startsWith('201')), 'everything created');
const history = await client.readHistory('Patient', created.id);
expect(history.entry.length === 3, 'three versions');

await client.deleteResource('Patient', created.id);
await refused(client.readResource('Patient', created.id));
console.log('ok');
