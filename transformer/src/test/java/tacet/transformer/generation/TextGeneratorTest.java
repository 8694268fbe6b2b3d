package tacet.transformer.generation;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tacet.autograd.Pass;
import tacet.tensor.Engine;
import tacet.tensor.RandomStream;
import tacet.tensor.Shape;
import tacet.tensor.Tensor;
import tacet.tensor.Workers;
import tacet.tensor.Workspace;
import tacet.tensor.kernel.Kernels;
import tacet.transformer.Batch;
import tacet.transformer.Continuation;
import tacet.transformer.GenerativeModel;
import tacet.transformer.Seq2SeqModel;
import tacet.transformer.Surgery;
import tacet.transformer.TextModel;
import tacet.transformer.checkpoint.Checkpoint;
import tacet.transformer.checkpoint.Json;
import tacet.transformer.model.T5;
import tacet.transformer.model.TextModels;

/** Generation against the models' own forward passes; its ids are checked against golden files. */
class TextGeneratorTest {
  private static final Engine ENGINE =
      new Engine(Kernels.best(), new Workers(2), new Workspace(true));
  private static final int V = 50;

  @AfterAll
  static void close() {
    ENGINE.close();
  }

  private static String config(String kind) {
    return switch (kind) {
      case "t5" ->
          """
          {"model_type": "t5", "vocab_size": 50, "d_model": 16, "d_kv": 5, "d_ff": 80,
           "num_layers": 2, "num_heads": 3, "feed_forward_proj": "gated-relu",
           "initializer_factor": 1.5}
          """;
      case "gpt2" ->
          """
          {"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"], "vocab_size": 50,
           "n_positions": 32, "n_embd": 16, "n_layer": 2, "n_head": 2, "n_inner": 80,
           "activation_function": "relu"}
          """;
      default ->
          """
          {"model_type": "opt", "architectures": ["OPTForCausalLM"], "vocab_size": 50,
           "max_position_embeddings": 32, "hidden_size": 16, "num_hidden_layers": 2,
           "num_attention_heads": 2, "ffn_dim": 80}
          """;
    };
  }

  /** A tiny random model: every tensor that it asks for, drawn with a standard deviation. */
  private static GenerativeModel model(String kind) throws IOException {
    Json json = Json.parse(config(kind), "config");
    if (kind.equals("t5")) {
      Map<String, Tensor> weights = T5.initialWeights(T5.Config.of(json), 7);
      return T5.open(Checkpoint.of("t5", json, weights));
    }
    return (GenerativeModel)
        TextModels.languageModel(Checkpoint.of(kind, json, decoderWeights(kind)));
  }

  private static Map<String, Tensor> decoderWeights(String kind) {
    Map<String, int[]> shapes = new LinkedHashMap<>();
    boolean opt = kind.equals("opt");
    shapes.put(opt ? "model.decoder.embed_tokens.weight" : "wte.weight", new int[] {V, 16});
    shapes.put(
        opt ? "model.decoder.embed_positions.weight" : "wpe.weight", new int[] {opt ? 34 : 32, 16});
    for (int i = 0; i < 2; i++) {
      String at = opt ? "model.decoder.layers." + i + "." : "h." + i + ".";
      List<String> norms =
          opt ? List.of("self_attn_layer_norm", "final_layer_norm") : List.of("ln_1", "ln_2");
      norms.forEach(n -> shapes.put(at + n, new int[] {16}));
      if (opt) {
        for (String p : List.of("q_proj", "k_proj", "v_proj", "out_proj")) {
          shapes.put(at + "self_attn." + p, new int[] {16, 16});
        }
        shapes.put(at + "fc1", new int[] {80, 16});
        shapes.put(at + "fc2", new int[] {16, 80});
      } else {
        shapes.put(at + "attn.c_attn", new int[] {16, 48});
        shapes.put(at + "attn.c_proj", new int[] {16, 16});
        shapes.put(at + "mlp.c_fc", new int[] {16, 80});
        shapes.put(at + "mlp.c_proj", new int[] {80, 16});
      }
    }
    shapes.put(opt ? "model.decoder.final_layer_norm" : "ln_f", new int[] {16});
    Map<String, Tensor> weights = new LinkedHashMap<>();
    shapes.forEach(
        (name, dims) -> {
          RandomStream random = RandomStream.of(3, name, 0);
          if (name.endsWith(".weight")) {
            weights.put(name, random.normal(Shape.of(dims), 0.6));
            return;
          }
          weights.put(name + ".weight", random.normal(Shape.of(dims), 0.4));
          int out = dims.length == 1 || opt ? dims[0] : dims[1];
          weights.put(name + ".bias", random.normal(Shape.of(out), 0.3));
        });
    return weights;
  }

  /**
   * The table of tokens is the head, unless the file has another one: it counts then, although the
   * configuration says that they are tied.
   */
  @ParameterizedTest
  @ValueSource(strings = {"gpt2", "opt"})
  void aHeadInTheFileCounts(String kind) throws IOException {
    TextModel tied = (TextModel) model(kind);
    Json json = Json.parse(config(kind), "config");
    Map<String, Tensor> weights = decoderWeights(kind);
    Tensor table = weights.values().iterator().next();
    weights.put("lm_head.weight", table.copy());
    TextModel repeated = TextModels.languageModel(Checkpoint.of(kind, json, weights));
    assertThat(Surgery.parameters(repeated).keySet())
        .isEqualTo(Surgery.parameters(tied).keySet())
        .doesNotContain("lm_head.weight");
    Tensor other = table.copy();
    for (int i = 0; i < other.size(); i++) {
      other.data()[i] *= -2;
    }
    weights.put("lm_head.weight", other);
    TextModel own = TextModels.languageModel(Checkpoint.of(kind, json, weights));
    float[] expected = logits(tied);
    for (int i = 0; i < expected.length; i++) {
      expected[i] *= -2;
    }
    assertThat(logits(own)).isEqualTo(expected);
  }

  private static float[] logits(TextModel model) {
    try (Pass pass = Pass.inference(ENGINE)) {
      return model.forward(pass, batch(new int[] {3, 1, 4, 1, 5})).logits().value().toArray();
    }
  }

  /** Three prompts, of which two are short. */
  private static Batch prompts(String kind) {
    int[] ids = {9, 8, 7, 6, 5, 4, 0, 0, 3, 11, 12, 13, 0, 0, 0, 0, 21, 22};
    int[] mask = Arrays.stream(ids).map(i -> i == 0 ? 0 : 1).toArray();
    if (kind.equals("t5")) { // padding at the end
      for (int i = 0; i < 3; i++) {
        int[] row = Arrays.stream(ids, 6 * i, 6 * i + 6).filter(t -> t != 0).toArray();
        for (int t = 0; t < 6; t++) {
          ids[6 * i + t] = t < row.length ? row[t] : 0;
          mask[6 * i + t] = t < row.length ? 1 : 0;
        }
      }
    }
    return new Batch(3, 6, ids, new int[18], mask);
  }

  private static Limits limits(int max, Integer... ends) {
    return new Limits(max, 0, List.of(ends), 0);
  }

  /** The last scores of one sequence in one pass, without a cache and without padding. */
  private static float[] scores(GenerativeModel model, Batch prompts, int example, int[] written) {
    int s = prompts.length();
    int[] prompt =
        java.util.stream.IntStream.range(example * s, (example + 1) * s)
            .filter(i -> prompts.mask()[i] != 0)
            .map(i -> prompts.ids()[i])
            .toArray();
    try (Pass pass = Pass.inference(ENGINE)) {
      Tensor logits;
      if (model instanceof Seq2SeqModel both) {
        logits = both.forward(pass, batch(prompt), batch(written)).logits().value();
      } else {
        int[] all = Arrays.copyOf(prompt, prompt.length + written.length);
        System.arraycopy(written, 0, all, prompt.length, written.length);
        logits = ((TextModel) model).forward(pass, batch(all)).logits().value();
      }
      return Arrays.copyOfRange(logits.data(), logits.size() - V, logits.size());
    }
  }

  private static Batch batch(int[] ids) {
    int[] mask = new int[ids.length];
    Arrays.fill(mask, 1);
    return new Batch(1, ids.length, ids, new int[ids.length], mask);
  }

  @ParameterizedTest
  @ValueSource(strings = {"t5", "gpt2", "opt"})
  void rememberedTokensCountLikeNewOnes(String kind) throws IOException {
    GenerativeModel model = model(kind);
    Batch prompts = prompts(kind);
    Continuation run = model.begin(ENGINE, prompts);
    boolean t5 = kind.equals("t5");
    List<List<Integer>> written = new ArrayList<>();
    int[] next = new int[3];
    for (int e = 0; e < 3; e++) {
      int[] beginning = run.beginning(e);
      next[e] = beginning[beginning.length - 1];
      written.add(new ArrayList<>(t5 ? List.of(next[e]) : List.of()));
    }
    for (int step = 0; step < 20; step++) {
      float[] found;
      try (Pass pass = Pass.inference(ENGINE)) {
        found = run.step(pass, next).value().toArray();
      }
      for (int r = 0; r < 3; r++) {
        int[] tokens = written.get(r).stream().mapToInt(Integer::intValue).toArray();
        float[] expected = scores(model, prompts, r, tokens);
        for (int i = 0; i < V; i++) {
          assertThat(found[r * V + i]).as("step " + step).isCloseTo(expected[i], within(1e-4f));
        }
        next[r] = 1 + (7 * step + 3 * r) % (V - 1);
        written.get(r).add(next[r]);
      }
      if (step == 3 || step == 9) { // beams die and split: rows of one example, and of another
        int[] rows = step == 3 ? new int[] {0, 2, 2} : new int[] {1, 0, 1};
        prompts = select(prompts, rows);
        run.select(rows);
        List<List<Integer>> before = List.copyOf(written);
        int[] tokens = next.clone();
        for (int r = 0; r < 3; r++) {
          written.set(r, new ArrayList<>(before.get(rows[r])));
          next[r] = tokens[rows[r]];
        }
      }
    }
  }

  private static Batch select(Batch b, int[] rows) {
    int s = b.length();
    int[] ids = new int[rows.length * s];
    int[] mask = new int[ids.length];
    for (int r = 0; r < rows.length; r++) {
      System.arraycopy(b.ids(), rows[r] * s, ids, r * s, s);
      System.arraycopy(b.mask(), rows[r] * s, mask, r * s, s);
    }
    return new Batch(rows.length, s, ids, new int[ids.length], mask);
  }

  /** Rows of few non-zeros take another path with the same bits. */
  @ParameterizedTest
  @ValueSource(strings = {"t5", "gpt2", "opt"})
  void silentNeuronsChangeNoScore(String kind) throws IOException {
    GenerativeModel silent =
        Surgery.replaceParameters(
            model(kind),
            (path, p) -> {
              boolean in =
                  path.matches(".*(wi_0|fc1|c_fc)\\.weight"); // rows of inputs and of outputs
              Tensor w = in ? p.value().copy() : p.value();
              int columns = w.shape().last();
              for (int i = 0; in && i < w.size(); i++) {
                int neuron = kind.equals("gpt2") ? i % columns : i / columns;
                w.data()[i] = neuron % 20 == 0 ? w.data()[i] : 0;
              }
              boolean bias = path.matches(".*(fc1|c_fc)\\.bias");
              return in || bias ? tacet.autograd.Parameter.frozen(bias ? Tensor.zeros(80) : w) : p;
            });
    for (Engine engine : List.of(ENGINE, ENGINE.alwaysDense())) {
      TextGenerator generator = new TextGenerator(silent, limits(12));
      assertThat(generator.write(engine, prompts(kind), new Strategy.Beams(2)))
          .isDeepEqualTo(
              generator.write(ENGINE.alwaysDense(), prompts(kind), new Strategy.Beams(2)));
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"t5", "gpt2", "opt"})
  void greedyTakesTheBestOfEachStep(String kind) throws IOException {
    GenerativeModel model = model(kind);
    int[][] free =
        new TextGenerator(model, limits(8)).write(ENGINE, prompts(kind), new Strategy.Greedy());
    int first = kind.equals("t5") ? 1 : 6;
    for (int e = 0; e < 3; e++) {
      assertThat(free[e]).hasSize(first + 8);
      int[] written =
          Arrays.copyOfRange(free[e], kind.equals("t5") ? 0 : first, free[e].length - 1);
      float[] scores = scores(model, prompts(kind), e, written);
      float best = scores[free[e][free[e].length - 1]];
      for (float s : scores) {
        assertThat(s).isLessThanOrEqualTo(best + 1e-5f);
      }
    }
    // With an end the tokens before it stay, and padding follows.
    int end = free[1][first + 3];
    int[][] ended =
        new TextGenerator(model, limits(8, end))
            .write(ENGINE, prompts(kind), new Strategy.Greedy());
    for (int e = 0; e < 3; e++) {
      int length = first;
      while (length < free[e].length && (length == first || free[e][length - 1] != end)) {
        length++;
      }
      int shown = Math.min(length, ended[e].length);
      assertThat(Arrays.copyOf(ended[e], shown)).isEqualTo(Arrays.copyOf(free[e], shown));
      for (int t = length; t < ended[e].length; t++) {
        assertThat(ended[e][t]).isZero();
      }
    }
  }

  @Test
  void samplingDependsOnTheSeedAndNotOnTheCompany() throws IOException {
    GenerativeModel model = model("gpt2");
    TextGenerator generator = new TextGenerator(model, limits(10));
    Strategy seven = new Strategy.Sampling(1.5, 0, 1, 7);
    int[][] all = generator.write(ENGINE, prompts("gpt2"), seven);
    assertThat(generator.write(ENGINE, prompts("gpt2"), seven)).isDeepEqualTo(all);
    int[][] alone = generator.write(ENGINE, select(prompts("gpt2"), new int[] {0}), seven);
    assertThat(alone[0]).isEqualTo(all[0]);
    int[][] other = generator.write(ENGINE, prompts("gpt2"), new Strategy.Sampling(1.5, 0, 1, 8));
    assertThat(other[0]).isNotEqualTo(all[0]);
    int[][] greedy = generator.write(ENGINE, prompts("gpt2"), new Strategy.Greedy());
    for (Strategy one :
        List.of(new Strategy.Sampling(2, 1, 1, 3), new Strategy.Sampling(1, 0, 1e-6, 3))) {
      assertThat(generator.write(ENGINE, prompts("gpt2"), one)).isDeepEqualTo(greedy);
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 3})
  void listenersHearEveryTokenAndMayEndIt(int beams) throws IOException {
    TextGenerator generator = new TextGenerator(model("t5"), limits(9));
    Strategy how = beams == 1 ? new Strategy.Greedy() : new Strategy.Beams(beams);
    List<Integer> heard = new ArrayList<>();
    int[][] ids =
        generator.write(
            ENGINE,
            prompts("t5"),
            how,
            (example, token) -> {
              if (example == 1) {
                heard.add(token);
              }
              return heard.size() < 4;
            });
    assertThat(heard).hasSize(4);
    assertThat(List.of(ids)).allSatisfy(row -> assertThat(row).hasSize(1 + 4));
    if (beams == 1) {
      assertThat(Arrays.stream(ids[1]).skip(1).boxed().toList()).isEqualTo(heard);
    }
  }

  @Test
  void promptsThatCannotBeGoneOnFromAreRefused() throws IOException {
    TextGenerator gpt2 = new TextGenerator(model("gpt2"), limits(27));
    assertThatThrownBy(() -> gpt2.write(ENGINE, prompts("gpt2"), new Strategy.Greedy()))
        .hasMessageContaining("32");
    TextGenerator few = new TextGenerator(model("gpt2"), limits(3));
    assertThatThrownBy(() -> few.write(ENGINE, prompts("t5"), new Strategy.Greedy()))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("padding");
    Batch empty = new Batch(1, 0, new int[0], new int[0], new int[0]);
    assertThatThrownBy(() -> few.write(ENGINE, empty, new Strategy.Greedy()))
        .hasMessageContaining("empty");
    assertThatThrownBy(() -> new Limits(3, 4, List.of(), 0)).hasMessageContaining("4");
    assertThatThrownBy(() -> new Strategy.Sampling(0, 0, 1, 1)).hasMessageContaining("temperature");
    assertThatThrownBy(() -> new Strategy.Sampling(1, 0, 0, 1)).hasMessageContaining("top-p");
    assertThatThrownBy(() -> new Strategy.Beams(0)).hasMessageContaining("beam");
  }

  @Test
  void endsAndPaddingComeFromTheFirstConfigurationThatHasThem() throws IOException {
    Json model = Json.parse("{\"eos_token_id\": 5, \"pad_token_id\": 0}", "config");
    Json own = Json.parse("{\"eos_token_id\": [7, 8]}", "generation");
    assertThat(Limits.of(3, 0, List.of(own, model))).isEqualTo(new Limits(3, 0, List.of(7, 8), 0));
    assertThat(Limits.of(3, 0, List.of(own))).isEqualTo(new Limits(3, 0, List.of(7, 8), 7));
  }

  /** As TopKLogitsWarper and TopPLogitsWarper of transformers leave it. */
  @Test
  void improbableTokensArePutAside() {
    float[] scores = {9, (float) Math.log(.1), (float) Math.log(.4), (float) Math.log(.3)};
    scores = Arrays.copyOf(scores, 6);
    scores[4] = (float) Math.log(.15);
    scores[5] = (float) Math.log(.05);
    assertThat(probabilities(1, 0, 1, scores))
        .containsExactly(new double[] {.1, .4, .3, .15, .05}, within(1e-6));
    assertThat(probabilities(1, 2, 1, scores))
        .containsExactly(new double[] {0, 4 / 7., 3 / 7., 0, 0}, within(1e-6));
    // Ascending sums .05, .15, .30, .60, 1: those up to 1 - .8 go.
    assertThat(probabilities(1, 0, .8, scores))
        .containsExactly(new double[] {0, .4 / .85, .3 / .85, .15 / .85, 0}, within(1e-6));
    // Squared: .01, .16, .09, .0225, .0025 of .285.
    assertThat(probabilities(.5, 0, 1, scores))
        .containsExactly(
            new double[] {.01 / .285, .16 / .285, .09 / .285, .0225 / .285, .0025 / .285},
            within(1e-6));
    Strategy.Sampling all = new Strategy.Sampling(1, 0, 1, 1);
    assertThat(Sampler.choose(all, scores, 1, 5, 0)).isZero();
    assertThat(Sampler.choose(all, scores, 1, 5, 0.11)).isEqualTo(1);
    assertThat(Sampler.choose(all, scores, 1, 5, 0.51)).isEqualTo(2);
    assertThat(Sampler.choose(all, scores, 1, 5, Math.nextDown(1.0))).isEqualTo(4);
  }

  private static double[] probabilities(double temperature, int k, double p, float[] scores) {
    return Sampler.probabilities(
        new Strategy.Sampling(temperature, k, p, 1), scores, 1, scores.length - 1);
  }
}
