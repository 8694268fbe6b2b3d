package tacet.hardware;

import java.util.Locale;
import tacet.hardware.LeafCall.Kind;
import tacet.hardware.LeafCall.Site;

/** Which leaf modules the energy ratio looks at. The choice moves the ratio more than many a method does. */
public enum EnergyScope {
  /** Every leaf of a Hugging Face model, padding included. */
  LEAF_HF,
  /**
   * Every leaf that adapter-transformers 3.2 leaves hookable: its LoRALinear (query, key, value and both MLP
   * products) owns a ModuleDict, hence is no leaf and is never counted.
   */
  LEAF_ADAPTER_TRANSFORMERS,
  /** Linear modules only. */
  ALL_LINEAR,
  /** The two or three MLP products only. */
  MLP_ONLY,
  /** Every leaf, padding positions left out. */
  UNPADDED,
  /**
   * The scope that explains Table 2 of arXiv 2402.01911: {@link #LEAF_ADAPTER_TRANSFORMERS} for adapters and LoRA,
   * {@link #LEAF_HF} for prefix and prompt tuning. Inferred from element counts, not documented by the authors.
   */
  PAPER_TABLE2;

  /**
   * The scope to count with for a tuning method.
   *
   * @param method {@code adapter}, {@code lora}, {@code qlora}, {@code prefix}, {@code prompt}, {@code full}
   * @return this, except for {@link #PAPER_TABLE2}
   */
  public EnergyScope resolve(String method) {
    if (this != PAPER_TABLE2) {
      return this;
    }
    return switch (method.toLowerCase(Locale.ROOT)) {
      case "adapter", "lora", "qlora" -> LEAF_ADAPTER_TRANSFORMERS;
      default -> LEAF_HF;
    };
  }

  /**
   * Whether the scope counts a call.
   *
   * @throws IllegalStateException for {@link #PAPER_TABLE2}, which must be resolved first
   */
  public boolean includes(LeafCall call) {
    boolean linear = call.kind() == Kind.LINEAR;
    Site site = call.site();
    return switch (this) {
      case LEAF_HF, UNPADDED -> true;
      case ALL_LINEAR -> linear;
      case MLP_ONLY -> linear && (site == Site.MLP_IN || site == Site.MLP_OUT);
      case LEAF_ADAPTER_TRANSFORMERS ->
          !(linear && (site == Site.ATTENTION_QKV || site == Site.MLP_IN || site == Site.MLP_OUT));
      case PAPER_TABLE2 ->
          throw new IllegalStateException("call resolve(method) on PAPER_TABLE2 before counting");
    };
  }
}
