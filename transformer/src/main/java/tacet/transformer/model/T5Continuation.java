package tacet.transformer.model;

import java.util.Arrays;
import java.util.List;
import tacet.autograd.Pass;
import tacet.autograd.Var;
import tacet.tensor.Engine;
import tacet.tensor.Shape;
import tacet.tensor.kernel.KeyValueCache;
import tacet.transformer.Batch;
import tacet.transformer.Continuation;

/**
 * What a T5 writes for some sources. The sources' keys and values are there once for all rows that
 * write for one source: those are its queries.
 */
final class T5Continuation implements Continuation {
  private final T5.Generator model;
  private final List<KeyValueCache> past; // of each block
  private final List<KeyValueCache> states; // of each block
  private final int memory; // M vectors before the first token
  private int[] source; // of each row, as states have them
  private float[] keyBias; // of the sources as states have them; or null
  private int written;

  T5Continuation(T5.Generator model, Engine engine, Batch sources) {
    this.model = model;
    List<T5.Block> blocks = model.decoder().block();
    T5.Attention self = blocks.get(0).self().SelfAttention();
    T5.Attention cross = blocks.get(0).cross().EncDecAttention();
    memory = self.memory().length();
    past = Past.empty(blocks.size(), sources.size(), self.memory());
    states = Past.empty(blocks.size(), sources.size(), cross.memory());
    keyBias = cross.memory().keyBias(sources.keyBias(), sources.size());
    source = new int[sources.size()];
    Arrays.setAll(source, i -> i);
    try (Pass pass = Pass.inference(engine)) {
      Var read = model.encode(pass, sources).getLast();
      for (int i = 0; i < blocks.size(); i++) {
        int block = i;
        pass.scope(
            () -> {
              blocks.get(block).cross().EncDecAttention().remember(pass, read, states.get(block));
              return read;
            });
      }
    }
  }

  @Override
  public int rows() {
    return source.length;
  }

  @Override
  public int[] beginning(int prompt) {
    return new int[] {model.startId()};
  }

  @Override
  public Var step(Pass pass, int[] tokens) {
    List<T5.Block> blocks = model.decoder().block();
    T5.RelativeBias table = blocks.get(0).self().SelfAttention().relative_attention_bias();
    Var bias = table.forward(pass, memory + written, 1, memory + written + 1);
    T5.View own = new T5.View(null, true, bias);
    T5.View other = new T5.View(keyBias, false, null);
    Var x = model.shared().words().forward(pass, tokens, Shape.of(rows(), 1)); // [R, 1, D]
    for (int i = 0; i < blocks.size(); i++) {
      int block = i;
      Var in = x;
      x =
          pass.scope(
              () ->
                  blocks
                      .get(block)
                      .forward(pass, in, past.get(block), own, states.get(block), other));
    }
    written++;
    return model.head(pass, model.decoder().end(pass, x));
  }

  @Override
  public void select(int[] rows) {
    past.forEach(cache -> cache.reorder(rows));
    int[] sources = Arrays.stream(rows).map(r -> source[r]).toArray();
    int batch = states.get(0).batch();
    boolean sharing = sources.length % batch == 0;
    for (int r = 0; sharing && r < sources.length; r++) {
      sharing = sources[r] == r / (sources.length / batch);
    }
    if (!sharing) { // each row gets its own copy
      states.forEach(cache -> cache.reorder(sources));
      keyBias = keyBias == null ? null : picked(sources, keyBias.length / batch);
      Arrays.setAll(sources, i -> i);
    }
    source = sources;
  }

  private float[] picked(int[] sources, int width) {
    float[] bias = new float[sources.length * width];
    for (int r = 0; r < sources.length; r++) {
      System.arraycopy(keyBias, sources[r] * width, bias, r * width, width);
    }
    return bias;
  }
}
