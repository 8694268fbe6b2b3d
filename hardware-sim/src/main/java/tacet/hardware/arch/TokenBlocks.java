package tacet.hardware.arch;

/** Steps of the sparse engines: passes over outputs, and within a pass blocks of tokens with all their inputs. */
final class TokenBlocks {
  final int blocks;
  final int passes;
  private final Workload layer;
  private final int tokensPerBlock;
  private final int outputsPerPass;

  TokenBlocks(Workload layer, int tokensPerBlock, int outputsPerPass) {
    this.layer = layer;
    this.tokensPerBlock = tokensPerBlock;
    this.outputsPerPass = outputsPerPass;
    blocks = (int) Compression.ceil(layer.tokens(), tokensPerBlock);
    passes = (int) Compression.ceil(layer.outputs(), outputsPerPass);
  }

  int steps() {
    return Math.multiplyExact(blocks, passes);
  }

  int block(int step) {
    return step % blocks;
  }

  int firstToken(int step) {
    return block(step) * tokensPerBlock;
  }

  int tokenEnd(int step) {
    return Math.min(layer.tokens(), firstToken(step) + tokensPerBlock);
  }

  int tokens(int step) {
    return tokenEnd(step) - firstToken(step);
  }

  int firstOutput(int step) {
    return step / blocks * outputsPerPass;
  }

  int outputEnd(int step) {
    return Math.min(layer.outputs(), firstOutput(step) + outputsPerPass);
  }

  int outputs(int step) {
    return outputEnd(step) - firstOutput(step);
  }

  Block activations(int step) {
    return new Block(firstToken(step), tokenEnd(step), 0, layer.inputs());
  }

  Block weights(int step) {
    return new Block(firstOutput(step), outputEnd(step), 0, layer.inputs());
  }

  Block results(int step) {
    return new Block(firstToken(step), tokenEnd(step), firstOutput(step), outputEnd(step));
  }
}
