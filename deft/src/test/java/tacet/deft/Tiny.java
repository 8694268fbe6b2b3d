package tacet.deft;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import tacet.deft.task.Metric;
import tacet.deft.task.Task;
import tacet.tensor.RandomStream;
import tacet.tensor.Tensor;
import tacet.transformer.Surgery;
import tacet.transformer.TextModel;
import tacet.transformer.checkpoint.Checkpoint;
import tacet.transformer.checkpoint.Json;
import tacet.transformer.model.Bert;
import tacet.transformer.model.TextModels;

/** An untrained two-layer BERT and a task that it can learn: which of two words is in the text. */
final class Tiny {
  static final int VOCABULARY = 20;

  private Tiny() {}

  static TextModel model(String activation) throws IOException {
    return model(activation, 0.1);
  }

  static TextModel model(String activation, double dropout) throws IOException {
    Json config =
        Json.parse(
            """
            {"model_type": "bert", "vocab_size": %d, "hidden_size": 16, "num_hidden_layers": 2,
             "num_attention_heads": 2, "intermediate_size": 40, "hidden_act": "%s",
             "max_position_embeddings": 32, "initializer_range": 0.2,
             "hidden_dropout_prob": %s, "attention_probs_dropout_prob": %s}
            """
                .formatted(VOCABULARY, activation, dropout, dropout),
            "config");
    Map<String, Tensor> weights = Bert.initialWeights(Bert.Config.of(config), 3);
    TextModel frozen = TextModels.classifier(Checkpoint.of("tiny", config, weights), 2, 1).model();
    return Surgery.replaceParameters(frozen, (path, p) -> p.withTrainable(true));
  }

  static Task task() {
    return new Task("words", List.of("a", "b"), List.of(Metric.ACCURACY), List::of, List::of);
  }

  static Dataset data(String purpose, int n) {
    RandomStream random = RandomStream.of(5, purpose, 0);
    List<Dataset.Item> items = new ArrayList<>();
    for (int i = 0; i < n; i++) {
      int[] ids = new int[3 + random.nextInt(6)];
      for (int j = 0; j < ids.length; j++) {
        ids[j] = 4 + random.nextInt(VOCABULARY - 4);
      }
      ids[random.nextInt(ids.length)] = 2 + i % 2;
      items.add(new Dataset.Item(ids, new int[ids.length], i % 2));
    }
    return new Dataset(items, 0);
  }

  static TextProblem problem() {
    return new TextProblem(task(), data("train", 90), data("dev", 40));
  }
}
