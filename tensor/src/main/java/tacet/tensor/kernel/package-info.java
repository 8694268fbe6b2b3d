/**
 * Numeric kernels over float arrays, in two twins that give the same bits: {@link
 * tacet.tensor.kernel.ScalarKernels}, the readable reference, and a vector twin on {@code
 * jdk.incubator.vector}; and what is built from them: packed matrices, parallel products,
 * attention.
 */
package tacet.tensor.kernel;
