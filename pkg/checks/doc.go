// Package checks finds what is wrong with a plugin before Kong does. It owns the rules, and Kong's words for each
// breach. "kubectl kongdao pack" and lint, the validating webhook and the catalog use the same rules.
//
//	content -> Summarize -> Summary (per file, without contents)
//	Summary of each file of a release -> Check -> findings
//
// An error means that Kong fails for sure. What only Lua can compute is unknown, and unknown is never an error.
package checks
