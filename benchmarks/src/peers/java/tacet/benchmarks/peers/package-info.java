/** The peers with native code; compiled only in the Maven profile {@code peers}. */
package tacet.benchmarks.peers;
