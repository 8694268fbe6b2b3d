/**
 * JMH benchmarks of every kernel. Build the module, then for example
 *
 * <pre>
 * java -cp "benchmarks/target/classes:benchmarks/target/lib/*" org.openjdk.jmh.Main Dense -p shape=128x1024x1024
 * </pre>
 *
 * <p>Each runs on the vector kernels and on their scalar twin ({@code kernels}), products also on
 * other libraries ({@code library}; those with native code need a build with {@code -P peers} and are
 * then named on the command line: {@code -p library=Tacet,MKL,OpenBLAS,libtorch}). A score is the
 * time of one call. For ratios that are reported use the interleaved programs of {@code
 * tacet.benchmarks}: forks that run one after the other see different minutes of the machine.
 */
package tacet.benchmarks.jmh;
