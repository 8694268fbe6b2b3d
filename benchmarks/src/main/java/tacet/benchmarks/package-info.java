/** Benchmarks: kernels beside their peers, and whole models beside PyTorch and ONNX Runtime. */
package tacet.benchmarks;
