"""Results as FHIR R4 transaction Bundles, and the one table of codes they are written in."""
