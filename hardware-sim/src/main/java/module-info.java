/** Activation traces, the energy-ratio model and zero-skipping accelerator simulators. */
module tacet.hardware {
  exports tacet.hardware;
  exports tacet.hardware.arch;
  exports tacet.hardware.io;
  exports tacet.hardware.study;
}
