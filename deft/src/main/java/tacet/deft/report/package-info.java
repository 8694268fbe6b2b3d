/**
 * What is written down about a run: metrics.json, log.jsonl, and a report of one HTML file with
 * charts. Plain records in, files out; nothing here computes a result.
 */
package tacet.deft.report;
