package tacet.deft;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import tacet.tensor.Engine;
import tacet.tensor.RandomStream;
import tacet.transformer.Batch;
import tacet.transformer.checkpoint.Checkpoint;
import tacet.transformer.checkpoint.Json;
import tacet.transformer.generation.Limits;
import tacet.transformer.generation.Strategy;
import tacet.transformer.generation.TextGenerator;
import tacet.transformer.model.T5;

/** Corrupted spans, pairs of sequences, and what a model writes with and without a memory. */
class SequencesTest {
  private static final int END = 1;
  private static final int SENTINEL = 199;

  @Test
  void spansCanBePutBack() {
    SpanCorruptionProblem problem =
        new SpanCorruptionProblem(List.of(), List.of(), 0, END, SENTINEL);
    RandomStream random = RandomStream.of(3, "test", 0);
    long hidden = 0;
    long all = 0;
    for (int trial = 0; trial < 300; trial++) {
      int[] tokens = new int[2 + random.nextInt(60)];
      Arrays.setAll(tokens, i -> 5 + i);
      Sequences.Item item = problem.corrupted(tokens, random);
      assertThat(item.source()[item.source().length - 1]).isEqualTo(END);
      assertThat(item.target()[item.target().length - 1]).isEqualTo(END);
      List<Integer> back = new ArrayList<>();
      for (int t : item.source()) {
        if (t == END) {
          break;
        }
        if (t <= SENTINEL && t > SENTINEL - 100) {
          int at = 0;
          while (item.target()[at] != t) {
            at++;
          }
          for (at++; item.target()[at] < SENTINEL - 99 && item.target()[at] != END; at++) {
            back.add(item.target()[at]);
            hidden++;
          }
        } else {
          back.add(t);
        }
      }
      assertThat(back.stream().mapToInt(i -> i).toArray()).as("trial " + trial).isEqualTo(tokens);
      all += tokens.length;
    }
    assertThat((double) hidden / all).isBetween(0.1, 0.2);
  }

  @Test
  void writesTheSameWithAndWithoutMemory() throws IOException {
    Json config =
        Json.parse(
            """
            {"model_type": "t5", "vocab_size": 40, "d_model": 16, "d_kv": 8, "d_ff": 32,
             "num_layers": 2, "num_decoder_layers": 2, "num_heads": 2,
             "feed_forward_proj": "relu", "decoder_start_token_id": 0, "pad_token_id": 0,
             "eos_token_id": 1, "initializer_factor": 2.0}
            """,
            "config");
    T5.Generator model =
        T5.open(Checkpoint.of("t5", config, T5.initialWeights(T5.Config.of(config), 4)));
    Sequences pairs =
        new Sequences(
            List.of(
                new Sequences.Item(new int[] {5, 6, 7, 1}, new int[] {8, 1}),
                new Sequences.Item(new int[] {9, 1}, new int[] {10, 11, 1})),
            0);
    Sequences.Cut cut = pairs.cut(new int[] {1, 0});
    assertThat(cut.labels()).containsExactly(10, 11, 1, 8, 1, -100);
    assertThat(cut.source().mask()).containsExactly(1, 1, 0, 0, 1, 1, 1, 1);
    Batch source = cut.source();
    try (Engine engine = Engine.ofThreads(1)) {
      int[][] plain = Sequences.greedy(engine, model, source, END, 9);
      int[][] remembered =
          new TextGenerator(model, new Limits(9, 0, List.of(END), 0))
              .write(engine, source, new Strategy.Greedy());
      for (int i = 0; i < 2; i++) {
        int[] written = Arrays.copyOfRange(remembered[i], 1, 1 + plain[i].length);
        assertThat(written).isEqualTo(plain[i]);
      }
    }
  }
}
