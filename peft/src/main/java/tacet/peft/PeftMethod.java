package tacet.peft;

import java.util.List;
import tacet.transformer.Part;

/**
 * A way to fine-tune a few parameters of a frozen model: what is chosen, and the surgery that
 * applies it.
 *
 * <pre>{@code
 * PeftMethod method = Bottleneck.pfeiffer(16, List.of("classifier"));
 * TextModel one = method.applyTo(base, 1);    // views that share the base's weights:
 * TextModel two = method.applyTo(base, 2);    // train, use and drop them as you like
 * }</pre>
 */
public interface PeftMethod {
  /** The word for it on the command line. */
  String name();

  /** Parts trained whole and saved with the adapter, by name: a new head. */
  List<String> modulesToSave();

  /**
   * A frozen view of the model with new trainable parts in it. The model given is not changed, its
   * weights are shared; only the parts to save are copied.
   *
   * @throws IllegalArgumentException if the model has no place for it, or is adapted already
   */
  <P extends Part> P applyTo(P model, long seed);
}
