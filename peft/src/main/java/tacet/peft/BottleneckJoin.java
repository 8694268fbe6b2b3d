package tacet.peft;

import tacet.autograd.Ops;
import tacet.autograd.Pass;
import tacet.autograd.Var;
import tacet.transformer.Activation;
import tacet.transformer.Join;
import tacet.transformer.Layer;
import tacet.transformer.Surgery;

/**
 * A bottleneck adapter where a branch h joins the stream x, as AdapterHub's library computes it
 * ({@code methods/modeling.py}; N is the block's own norm, the identity in pre-norm blocks):
 *
 * <pre>
 *   z = N(h + x) if the norm comes first, else h
 *   a = dropout(scaling · up(f(down(z)))) + h
 *   y = N(a + x)
 * </pre>
 *
 * @param base what was there: it makes the last sum
 * @param down [D] → [b]
 * @param activation f; hidden from surgery, because it is no activation of the model's MLP
 * @param up [b] → [D]
 * @param method the numbers
 */
record BottleneckJoin(Join base, Layer down, Activation activation, Layer up, Bottleneck method)
    implements Join {
  @Override
  public Var forward(Pass pass, Var h, Var x, Layer norm) {
    Var z = h;
    if (method.normFirst()) {
      z = norm == null ? Ops.add(pass, h, x) : norm.ofSum(pass, h, x);
    }
    Var narrow = activation.after(pass, down, z); // [B, S, b]
    Var wide = up.forward(pass, narrow); // [B, S, D]
    Var scaled = method.scaling() == 1 ? wide : Ops.scale(pass, wide, method.scaling());
    Var a = Ops.add(pass, Ops.dropout(pass, scaled, method.dropout()), h);
    return base.forward(pass, a, x, norm);
  }

  @Override
  public Branch branch() {
    return base.branch();
  }

  @Override
  public int width() {
    return base.width();
  }

  @Override
  public BottleneckJoin rebuild(Surgery s) {
    return new BottleneckJoin(
        s.through(base), s.at("adapter_down", down), activation, s.at("adapter_up", up), method);
  }
}
