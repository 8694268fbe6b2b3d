/** Parameter-efficient fine-tuning by surgery on the model tree. */
module tacet.peft {
  requires transitive tacet.transformer;

  exports tacet.peft;
}
