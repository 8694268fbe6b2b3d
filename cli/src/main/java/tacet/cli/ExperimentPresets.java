package tacet.cli;

import java.util.List;
import java.util.Map;

/** The paper's tables and figures as plans. */
final class ExperimentPresets {
  private static final String ALL = "query,value,intermediate.dense,output.dense";

  /** What most plans share. */
  private static final String COMMON =
      """
      "model": "minilm", "seeds": [1, 2, 3], "train-samples": 4000,
      "epochs": 3, "batch": 32, "lr": 2e-3, "evaluate-every": 0, "when.lora.targets": "%s"
      """
          .formatted(ALL)
          .strip();

  private static final String LORA = "\"methods\": [\"lora\"], " + COMMON;

  private static final String PEFT_AND_DEFT =
      """
      "variants": {
        "PEFT": {"surrogate": "none"},
        "DEFT": {"surrogate": "%s", "lambda": %s, "lambda-ramp": "0.3,0.6"}}
      """
          .strip();

  /**
   * Sizes at which 144 runs of MiniLM end within 90 minutes on two cores. Its GELU becomes a ReLU by a
   * refit. λ and the rates were chosen on examples held out of train, see docs/results/glue-minilm;
   * one λ does not fit all tasks: what is learnt in few steps hardly falls silent at a λ that silences
   * CoLA and RTE whole.
   */
  private static final String GLUE =
      """
      "model": "minilm", "refit": 300, "seeds": [1, 2, 3], "train-samples": 8000,
      "dev-samples": 2000, "batch": 16, "evaluate-every": 0, "max-length": 64,
      "clip": 1, "warmup": 0.2, "steps": 400, "lr": 1e-3,
      "when.SST-2.steps": 1000, "when.CoLA.steps": 1500, "when.STS-B.steps": 700,
      "when.RTE.steps": 350, "when.QNLI.dev-samples": 1000,
      "when.lora.targets": "%s", "when.lora.lr": 5e-4,
      "when.SST-2+DEFT.lambda": 1, "when.RTE+DEFT.lambda": 0.15,
      "when.lora+CoLA.lr": 3e-4, "when.lora+CoLA+DEFT.lambda": 0.4,
      "when.lora+CoLA+DEFT.lambda-ramp": "0.5,0.8",
      "when.adapter+QNLI+DEFT.lambda": 0.3, "when.adapter+STS-B+DEFT.lambda": 1,
      "when.prefix.lr": 1e-2, "when.prefix.steps": 100, "when.prefix+SST-2.steps": 500,
      "when.prefix+CoLA.steps": 500,
      "when.prompt.lr": 3e-2, "when.prompt.virtual-tokens": 20, "when.prompt.steps": 50,
      "when.prompt+SST-2.steps": 300
      """
          .formatted(ALL)
          .strip();

  private static final Map<String, String> PLANS =
      Map.of(
          "glue",
          """
          {"title": "GLUE: PEFT and DEFT (table 1, figure 2)", %s,
           "tasks": ["SST-2", "CoLA", "MRPC", "RTE", "STS-B", "QNLI"],
           "methods": ["lora", "adapter", "prefix", "prompt"], "activation": "relu", %s}
          """
              .formatted(GLUE, PEFT_AND_DEFT.formatted("tanh", "0.4")),
          "bert-relu",
          """
          {"title": "ReLU models on GLUE (table 6)", %s,
           "tasks": ["SST-2", "CoLA", "MRPC", "RTE", "STS-B", "QNLI"], "activation": "relu", %s}
          """
              .formatted(LORA, PEFT_AND_DEFT.formatted("tanh", "1")),
          "squad",
          """
          {"title": "Reading comprehension (table 3)", %s, "tasks": ["reading"],
           "when.reading.max-length": 160, %s}
          """
              .formatted(LORA, PEFT_AND_DEFT.formatted("tanh", "1")),
          "ada",
          """
          {"title": "Adaptive layers (table 4, figure 3)", %s, "tasks": ["reading"],
           "after": ["evaluate"], "ada-rate": 30,
           "variants": {
             "PEFT": {"surrogate": "none"},
             "ADA-PEFT": {"surrogate": "none", "adaptive": "true"},
             "ADA-DEFT": {"surrogate": "l1", "lambda": 3, "lambda-ramp": "0,0.2",
                          "adaptive": "true"}}}
          """
              .formatted(LORA),
          "surrogates",
          """
          {"title": "Surrogates of the density (table 7)", %s, "tasks": ["SST-2"],
           "activation": "relu",
           "variants": {
             "PEFT": {"surrogate": "none"},
             "tanh": {"surrogate": "tanh", "lambda": 1, "lambda-ramp": "0.3,0.6"},
             "l0": {"surrogate": "l0", "lambda": 1, "lambda-ramp": "0.3,0.6"},
             "sigmoid": {"surrogate": "sigmoid", "lambda": 1, "lambda-ramp": "0.3,0.6"},
             "l1": {"surrogate": "l1", "lambda": 1, "lambda-ramp": "0.3,0.6"}}}
          """
              .formatted(LORA),
          "ablation",
          """
          {"title": "Weight and constants of the density loss (figures 5 and 6)", %s,
           "tasks": ["SST-2"], "activation": "relu",
           "axes": {"lambda": [0.01, 0.1, 1, 3], "beta": [5, 20, 80]},
           "variants": {"DEFT": {"surrogate": "tanh", "lambda-ramp": "0.3,0.6"}}}
          """
              .formatted(LORA),
          "wanda",
          """
          {"title": "Pruning the first matrix of every MLP (figure 4)", %s, "tasks": ["SST-2"],
           "activation": "relu", "after": ["prune"], %s}
          """
              .formatted(LORA, PEFT_AND_DEFT.formatted("tanh", "1")),
          "energy",
          """
          {"title": "Energy ratios, simulated (table 2)", %s,
           "tasks": ["SST-2", "MRPC", "RTE"], "activation": "relu", "after": ["energy"], %s}
          """
              .formatted(LORA, PEFT_AND_DEFT.formatted("tanh", "1")),
          "decoders",
          """
          {"title": "Decoders and image models (table 9)", %s, "tasks": ["SST-2"],
           "when.lora.targets": "all-linear", %s}
          """
              .formatted(
                  LORA.replace(", \"when.lora.targets\": \"" + ALL + "\"", ""),
                  PEFT_AND_DEFT.formatted("l0", "1")));

  private ExperimentPresets() {}

  static List<String> names() {
    return PLANS.keySet().stream().sorted().toList();
  }

  /** The plan of that name as JSON; null if there is none. */
  static String json(String name) {
    return PLANS.get(name);
  }
}
