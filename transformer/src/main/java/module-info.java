/** Layers, models, checkpoints and tokenizers. */
module tacet.transformer {
  requires transitive tacet.autograd;

  exports tacet.transformer;
  exports tacet.transformer.checkpoint;
  exports tacet.transformer.generation;
  exports tacet.transformer.image;
  exports tacet.transformer.model;
  exports tacet.transformer.text;
}
