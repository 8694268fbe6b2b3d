package tacet.cli;

import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.function.Predicate;
import java.util.regex.Pattern;
import picocli.CommandLine.Option;
import tacet.peft.Bottleneck;
import tacet.peft.Lora;
import tacet.peft.PeftMethod;
import tacet.peft.Prefix;
import tacet.peft.Prompt;
import tacet.peft.Targets;
import tacet.transformer.Activation;
import tacet.transformer.Part;
import tacet.transformer.Surgery;

/** What is trained, on the command line. */
final class MethodOptions {
  /** The methods, and all weights. */
  enum Method {
    lora,
    qlora,
    adapter,
    prefix,
    prompt,
    full
  }

  /** Places of bottleneck adapters. */
  enum Placement {
    pfeiffer,
    houlsby
  }

  /** Where a prompt starts. */
  enum PromptInit {
    random,
    text,
    vocabulary
  }

  @Option(
      names = "--method",
      paramLabel = "NAME",
      description = "What is trained: ${COMPLETION-CANDIDATES} (default: ${DEFAULT-VALUE}).")
  private Method method = Method.lora;

  @Option(names = "--rank", paramLabel = "R", description = "Rank of LoRA (8).")
  private int rank = 8;

  @Option(names = "--alpha", paramLabel = "A", description = "Scaling of LoRA is A/R (16).")
  private double alpha = 16;

  @Option(names = "--rslora", description = "Scaling of LoRA is A/sqrt(R).")
  private boolean rankStabilised;

  @Option(names = "--lora-dropout", paramLabel = "P", description = "Dropout of LoRA (0.1).")
  private double loraDropout = 0.1;

  @Option(
      names = "--targets",
      split = ",",
      paramLabel = "NAME",
      description =
          "Linear layers that get LoRA, by name, or all-linear (those of queries and values).")
  private List<String> targets;

  @Option(
      names = "--rank-pattern",
      split = ",",
      paramLabel = "NAME=R",
      description = "Other ranks for some layers.")
  private Map<String, Integer> rankPattern = new LinkedHashMap<>();

  @Option(
      names = "--alpha-pattern",
      split = ",",
      paramLabel = "NAME=A",
      description = "Other scalings for some layers.")
  private Map<String, Double> alphaPattern = new LinkedHashMap<>();

  @Option(
      names = "--placement",
      paramLabel = "NAME",
      description = "Where adapters go: ${COMPLETION-CANDIDATES} (default: ${DEFAULT-VALUE}).")
  private Placement placement = Placement.pfeiffer;

  @Option(
      names = "--reduction",
      paramLabel = "X",
      description = "Model width over adapter width (16).")
  private double reduction = 16;

  @Option(
      names = "--non-linearity",
      paramLabel = "NAME",
      description = "Of adapters: relu, gelu, gelu_new or silu (relu; houlsby: silu).")
  private String nonLinearity;

  @Option(
      names = "--virtual-tokens",
      paramLabel = "N",
      description = "Length of a prefix or prompt (60).")
  private int virtualTokens = Prefix.STANDARD_TOKENS;

  @Option(
      names = "--prefix-semantics",
      paramLabel = "NAME",
      description = "Prefixes of T5 as in peft, or in all attention as in the paper: peft, paper.")
  private Prefix.Semantics semantics = Prefix.Semantics.PEFT;

  @Option(
      names = "--prompt-init",
      paramLabel = "NAME",
      description = "Where a prompt starts: ${COMPLETION-CANDIDATES} (random).")
  private PromptInit promptInit = PromptInit.random;

  @Option(names = "--prompt-text", paramLabel = "TEXT", description = "For --prompt-init text.")
  private String promptText;

  @Option(
      names = "--modules-to-save",
      split = ",",
      paramLabel = "NAME",
      description = "Parts that are trained whole besides the head, such as bert.pooler.dense.")
  private List<String> more = List.of();

  private MethodOptions() {}

  /** The word for what is trained. */
  String name() {
    return method.name();
  }

  /** The word for what is trained, where an adapter that was loaded may say otherwise. */
  String name(PeftMethod chosen) {
    return chosen == null || chosen instanceof Lora && isQlora() ? method.name() : chosen.name();
  }

  /** Whether frozen weights are kept in four bits, and the optimizer's moments in a file. */
  boolean isQlora() {
    return method == Method.qlora;
  }

  /**
   * What was chosen; null if all weights are trained.
   *
   * @param base the model that it is for
   * @param head what is new in it
   */
  PeftMethod choose(ModelSource source, Part base, List<String> head) throws IOException {
    Set<String> parts = Surgery.parts(base).keySet();
    for (String module : more) {
      require(
          parts, "--modules-to-save", module, p -> p.equals(module) || p.endsWith("." + module));
    }
    List<String> modulesToSave = modulesToSave(head);
    return switch (method) {
      case lora, qlora -> {
        Lora lora =
            new Lora(
                rank,
                alpha,
                loraDropout,
                rankStabilised,
                targets(base),
                modulesToSave,
                rankPattern,
                alphaPattern);
        rankPattern.keySet().forEach(key -> requireLayer(parts, "--rank-pattern", key));
        alphaPattern.keySet().forEach(key -> requireLayer(parts, "--alpha-pattern", key));
        yield lora;
      }
      case adapter -> {
        Bottleneck b =
            placement == Placement.pfeiffer
                ? Bottleneck.pfeiffer(reduction, modulesToSave)
                : Bottleneck.houlsby(reduction, modulesToSave);
        yield nonLinearity == null ? b : b.with(Activation.of(nonLinearity));
      }
      case prefix -> new Prefix(virtualTokens, semantics, modulesToSave);
      case prompt -> new Prompt(virtualTokens, start(source), modulesToSave);
      case full -> null;
    };
  }

  /** As peft reads such a key: the end of a layer's path. */
  private static void requireLayer(Set<String> parts, String option, String key) {
    Pattern pattern = Pattern.compile("(.*\\.)?(" + key + ")");
    require(parts, option, key, path -> pattern.matcher(path).matches());
  }

  private static void require(
      Set<String> parts, String option, String name, Predicate<String> named) {
    if (parts.stream().noneMatch(named)) {
      throw new UserException(option + " " + name + ": no part of the model has that name");
    }
  }

  /** The head, and what else is to be trained whole. */
  List<String> modulesToSave(List<String> head) {
    List<String> all = new ArrayList<>(head);
    more.stream().filter(m -> !all.contains(m)).forEach(all::add);
    return all;
  }

  private Targets targets(Part base) {
    if (targets == null) {
      return Targets.standard(base);
    }
    return targets.equals(List.of(Targets.ALL_LINEAR))
        ? Targets.allLinear()
        : new Targets(targets, null);
  }

  private Prompt.Start start(ModelSource source) throws IOException {
    return switch (promptInit) {
      case random -> Prompt.Start.random();
      case vocabulary -> Prompt.Start.vocabulary();
      case text -> {
        if (promptText == null) {
          throw new UserException("--prompt-init text needs --prompt-text TEXT");
        }
        List<Integer> ids = new ArrayList<>();
        for (int id : source.tokenizer().encode(promptText).ids()) {
          ids.add(id);
        }
        yield Prompt.Start.text(promptText, ids);
      }
    };
  }

  /** The model with the method applied; all of it trainable without one. */
  static <P extends Part> P apply(PeftMethod method, P base, long seed) {
    return method == null
        ? Surgery.replaceParameters(base, (path, p) -> p.withTrainable(true))
        : method.applyTo(base, seed);
  }

  /** What was chosen, for metrics.json. */
  void describe(PeftMethod chosen, Map<String, Object> c) {
    c.put("method", name(chosen));
    switch (chosen) {
      case null -> {}
      case Lora lora -> {
        c.put("rank", lora.r());
        c.put("alpha", lora.alpha());
        c.put("lora_dropout", lora.dropout());
        c.put("rslora", lora.rankStabilised());
        Targets t = lora.targets();
        c.put("targets", t.pattern() == null ? t.names() : List.of(t.pattern()));
        c.put("rank_pattern", lora.rankPattern());
        c.put("alpha_pattern", lora.alphaPattern());
      }
      case Bottleneck b -> {
        c.put("placement", b.afterAttention() ? "houlsby" : "pfeiffer");
        c.put("reduction", b.reduction());
        c.put("non_linearity", b.activation().toString());
      }
      case Prefix p -> {
        c.put("virtual_tokens", p.tokens());
        c.put("prefix_semantics", p.semantics().name().toLowerCase(Locale.ROOT));
      }
      case Prompt p -> {
        c.put("virtual_tokens", p.tokens());
        c.put("prompt_init", p.start().kind().name());
        c.put("prompt_text", p.start().text());
      }
      default -> {}
    }
  }
}
