/** Reverse-mode automatic differentiation, optimizers and schedules. */
module tacet.autograd {
  requires transitive tacet.tensor;

  exports tacet.autograd;
}
