/** Density loss, metering, tasks, metrics, training and reports. */
module tacet.deft {
  requires transitive tacet.peft;
  requires transitive tacet.hardware;

  exports tacet.deft;
  exports tacet.deft.experiment;
  exports tacet.deft.report;
  exports tacet.deft.task;
}
