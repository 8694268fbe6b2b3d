package tacet.peft;

import java.util.List;
import tacet.autograd.Parameter;
import tacet.transformer.CausalModel;
import tacet.transformer.Lookup;
import tacet.transformer.Part;
import tacet.transformer.Seq2SeqModel;
import tacet.transformer.Surgery;

/** What all methods do to the model before their own part. */
final class Adapted {
  private Adapted() {}

  /**
   * The frozen model, with copies of its own of the parts that are trained whole.
   *
   * @throws IllegalArgumentException if the model is adapted already, or one of the parts is a table
   *     of tokens that is the head too: peft trains its copy apart from the head
   */
  static <P extends Part> P frozen(P model, List<String> modulesToSave) {
    refuseAdapted(model);
    refuseHalfOfTied(model, modulesToSave);
    return Surgery.replaceParameters(
        model,
        (path, p) -> {
          if (!isSaved(path, modulesToSave)) {
            return p.withTrainable(false);
          }
          return p.isHollow()
              ? Parameter.hollow(p.shape()).withTrainable(true)
              : Parameter.trainable(p.value().copy()); // the base keeps its own
        });
  }

  /** Whether a path is, or lies in, one of the modules. */
  static boolean isSaved(String path, List<String> modules) {
    return modules.stream().anyMatch(m -> Targets.within(path, m));
  }

  private static void refuseHalfOfTied(Part model, List<String> modules) {
    boolean writes = model instanceof CausalModel || model instanceof Seq2SeqModel;
    if (!writes || Surgery.parameters(model).containsKey("lm_head.weight")) {
      return;
    }
    Surgery.parts(model)
        .forEach(
            (path, part) -> {
              if (part instanceof Lookup && Prompt.isWords(path) && isSaved(path, modules)) {
                throw new IllegalArgumentException(
                    "the modules to save hold "
                        + path
                        + ", which is the output layer too; to train one without the other is not"
                        + " supported: leave it out");
              }
            });
  }

  private static void refuseAdapted(Part model) {
    Surgery.replace(
        model,
        (path, part) -> {
          String what =
              switch (part) {
                case LoraLinear lora -> "LoRA";
                case BottleneckJoin join -> "bottleneck";
                case PrefixMemory memory -> "prefix";
                case PromptTable table -> "prompt";
                default -> null;
              };
          if (what != null) {
            throw new IllegalArgumentException(
                "the model has a "
                    + what
                    + " adapter already, at "
                    + path
                    + "; apply the new one to the base, or merge the old one first if it is LoRA");
          }
          return part;
        });
  }
}
