package tacet.benchmarks;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import tacet.autograd.Pass;
import tacet.peft.Bottleneck;
import tacet.peft.Lora;
import tacet.peft.PeftMethod;
import tacet.peft.Prefix;
import tacet.peft.Prompt;
import tacet.peft.Targets;
import tacet.tensor.Engine;
import tacet.tensor.RandomStream;
import tacet.tensor.measure.Interleaved;
import tacet.transformer.Batch;
import tacet.transformer.Surgery;
import tacet.transformer.TextModel;
import tacet.transformer.checkpoint.Checkpoint;
import tacet.transformer.checkpoint.Json;
import tacet.transformer.model.Bert;
import tacet.transformer.model.TextModels;

/**
 * What adapters cost at inference, beside their base: a folded LoRA (which must cost nothing), an
 * unfolded one, and the methods that cannot be folded. A BERT of MiniLM's shape with random weights,
 * 8 sentences of 64 tokens.
 *
 * <pre>java … tacet.benchmarks.AdapterBars [--quick]</pre>
 */
public final class AdapterBars {
  private static final int BATCH = 8;
  private static final int LENGTH = 64;

  private AdapterBars() {}

  /** Runs it. */
  public static void main(String[] args) throws IOException {
    Options options = Options.of(args);
    Json config =
        Json.parse(
            """
            {"model_type": "bert", "vocab_size": 1000, "hidden_size": 384, "num_hidden_layers": 6,
             "num_attention_heads": 12, "intermediate_size": 1536,
             "max_position_embeddings": 128}
            """,
            "config");
    TextModel base =
        TextModels.classifier(
                Checkpoint.of("bars", config, Bert.initialWeights(Bert.Config.of(config), 1)), 2, 1)
            .model();
    TextModel lora = tuned(new Lora(8, 16, 0, false, Targets.allLinear(), List.of()), base);
    List<String> names =
        List.of("base", "folded LoRA", "LoRA", "Pfeiffer", "Houlsby", "prefix 16", "prompt 16");
    List<TextModel> models =
        List.of(
            base,
            Lora.merge(lora),
            lora,
            tuned(Bottleneck.pfeiffer(16, List.of()), base),
            tuned(Bottleneck.houlsby(16, List.of()), base),
            tuned(new Prefix(16, Prefix.Semantics.PEFT, List.of()), base),
            tuned(new Prompt(16, Prompt.Start.random(), List.of()), base));
    int[] ids = new int[BATCH * LENGTH];
    Arrays.setAll(ids, i -> 1 + i * 31 % 999);
    int[] mask = new int[ids.length];
    Arrays.fill(mask, 1);
    Batch batch = new Batch(BATCH, LENGTH, ids, new int[ids.length], mask);
    try (Engine engine = Engine.ofThreads(2)) {
      List<Runnable> jobs = new ArrayList<>();
      for (TextModel m : models) {
        jobs.add(
            () -> {
              try (Pass pass = Pass.inference(engine)) {
                m.forward(pass, batch);
              }
            });
      }
      Interleaved times = Interleaved.of(options.settings(), jobs);
      for (int i = 0; i < jobs.size(); i++) {
        System.out.printf(
            Locale.ROOT,
            "%-12s %7.3f ms a batch, %.3f of the base's time%n",
            names.get(i),
            times.nanos(i) * 1e-6,
            times.ratio(i, 0));
      }
    }
  }

  /** Away from the start, where a LoRA is nothing. */
  private static TextModel tuned(PeftMethod method, TextModel base) {
    TextModel m = method.applyTo(base, 1);
    Surgery.trainable(m)
        .forEach(
            (name, p) -> {
              float[] noise = RandomStream.of(2, name, 0).normal(p.shape(), 0.02).data();
              System.arraycopy(noise, 0, p.value().data(), 0, noise.length);
              p.changed();
            });
    return Surgery.frozen(m);
  }
}
