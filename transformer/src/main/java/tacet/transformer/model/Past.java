package tacet.transformer.model;

import java.util.ArrayList;
import java.util.List;
import tacet.autograd.AttentionOps;
import tacet.autograd.Pass;
import tacet.autograd.Var;
import tacet.tensor.kernel.KeyValueCache;
import tacet.transformer.Lookup;
import tacet.transformer.Memory;

/** How attention to a sequence itself sees what comes before the tokens of this pass. */
final class Past {
  private static final int ROOM = 64; // tokens at first

  private Past() {}

  /**
   * Attention to the layer's memory, the tokens of earlier passes and those of this one.
   *
   * @param past what earlier passes left, to which this one's keys and values (and before the first
   *     the memory's) are added; null if there are no earlier passes and will be no later ones
   * @param how its key bias is that of the tokens of this pass, or, with a past, of all keys
   */
  static Var attend(
      Pass pass,
      Var q,
      Var k,
      Var v,
      Memory memory,
      KeyValueCache past,
      AttentionOps.Attention how) {
    boolean first = past == null || past.length() == 0;
    Var keys = first ? memory.keys(pass, k) : k; // [B, M + S, D]
    Var values = first ? memory.values(pass, v) : v;
    if (past != null) {
      past.append(pass.engine(), keys.value(), values.value());
      return AttentionOps.attention(pass, q, past, how);
    }
    float[] keyBias = memory.keyBias(how.keyBias(), q.shape().dim(0));
    return AttentionOps.attention(
        pass,
        q,
        keys,
        values,
        new AttentionOps.Attention(
            how.heads(), how.scale(), keyBias, how.causal(), how.positionBias(), how.dropout()));
  }

  /**
   * The table for the ids of this pass: what surgery has put before the tokens comes before the first
   * that are read, not before those of later passes.
   *
   * @param past of each block; null if there are no earlier passes
   */
  static Lookup table(Lookup tokens, List<KeyValueCache> past) {
    return past == null || past.get(0).length() == 0 ? tokens : tokens.words();
  }

  /** An empty past for each of some layers like this one. */
  static List<KeyValueCache> empty(int layers, int batch, Memory like) {
    List<KeyValueCache> all = new ArrayList<>(layers);
    for (int i = 0; i < layers; i++) {
      all.add(new KeyValueCache(batch, like.heads(), like.width() / like.heads(), ROOM));
    }
    return List.copyOf(all);
  }
}
