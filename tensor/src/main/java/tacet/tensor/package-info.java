/** Tensors, shapes, random streams and worker threads. */
package tacet.tensor;
