/** Tensors, weight formats, random streams, worker threads and numeric kernels. */
module tacet.tensor {
  requires static jdk.incubator.vector;

  exports tacet.tensor;
  exports tacet.tensor.kernel;
  exports tacet.tensor.measure;
}
