package tacet.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tacet.transformer.checkpoint.Json;

/**
 * The shares of trainable parameters in the paper (arXiv 2402.01911, tables 1, 3 and 9), from a
 * config.json alone. What the paper does not say was searched for, among ranks, targets, lengths and
 * heads; what is here fits to .02:
 *
 * <ul>
 *   <li>RoBERTa-large, reduction 16, LoRA of rank 32 on queries and values, 60 virtual tokens: all
 *       with RobertaForSequenceClassification's head of two layers.
 *   <li>BERT-base: the adapter with AdapterHub's head of two layers, which is BERT's pooler and
 *       classifier trained; LoRA of rank 8, and 50 virtual tokens (60 would be 1.00 and .04).
 *   <li>T5: reduction 32, LoRA of rank 16 on queries and values; Flan-T5-XL: reduction 16, the
 *       output matrix counted. No heads.
 *   <li>OPT: rank 8 for the sizes 125M and 350M, 16 for 1.3B: all .24.
 *   <li>ViT: with a head of ten classes. GPT-2: 1.41 with its own head; AdapterHub's head of two
 *       layers, 592,130 parameters, makes it 1.87.
 * </ul>
 */
class ParameterCountTest {
  private static final double TOLERANCE = 0.02;

  private static final Map<String, String> CONFIGS =
      Map.of(
          "roberta-large",
          """
          {"model_type": "roberta", "vocab_size": 50265, "hidden_size": 1024,
           "num_hidden_layers": 24, "num_attention_heads": 16, "intermediate_size": 4096,
           "max_position_embeddings": 514, "type_vocab_size": 1, "pad_token_id": 1}
          """,
          "bert-base",
          """
          {"model_type": "bert", "vocab_size": 30522, "hidden_size": 768, "num_hidden_layers": 12,
           "num_attention_heads": 12, "intermediate_size": 3072}
          """,
          "t5-small",
          """
          {"model_type": "t5", "d_model": 512, "d_kv": 64, "d_ff": 2048, "num_layers": 6,
           "num_heads": 8}
          """,
          "t5-base",
          """
          {"model_type": "t5", "d_model": 768, "d_kv": 64, "d_ff": 3072, "num_layers": 12,
           "num_heads": 12}
          """,
          "flan-t5-xl",
          """
          {"model_type": "t5", "d_model": 2048, "d_kv": 64, "d_ff": 5120, "num_layers": 24,
           "num_heads": 32, "feed_forward_proj": "gated-gelu", "tie_word_embeddings": false}
          """,
          "opt-125m",
          """
          {"model_type": "opt", "hidden_size": 768, "num_hidden_layers": 12, "ffn_dim": 3072,
           "num_attention_heads": 12}
          """,
          "opt-1.3b",
          """
          {"model_type": "opt", "hidden_size": 2048, "num_hidden_layers": 24, "ffn_dim": 8192,
           "num_attention_heads": 32}
          """,
          "gpt2",
          "{\"model_type\": \"gpt2\"}",
          "vit-base",
          "{\"model_type\": \"vit\", \"num_labels\": 10}");

  @TempDir Path temp;

  private Json count(String model, String options) throws Exception {
    Path dir = temp.resolve(model);
    Files.createDirectories(dir);
    Files.writeString(dir.resolve("config.json"), CONFIGS.get(model));
    List<Object> args =
        new ArrayList<>(List.of("train", "--dry-run", "--json", "--model", dir, "--task", "SST-2"));
    args.addAll(List.of(options.split(" ")));
    Cli.Result r = Cli.run(args.toArray());
    assertThat(r.err()).isEmpty();
    return Json.parse(r.out(), "stdout");
  }

  @ParameterizedTest
  @CsvSource({
    "roberta-large, --method adapter, 1.17",
    "roberta-large, --method lora --rank 32, 1.16",
    "roberta-large, --method prefix, 1.11",
    "roberta-large, --method prompt, .31",
    "bert-base, --method adapter --modules-to-save bert.pooler.dense, 1.33",
    "bert-base, --method lora, .27",
    "bert-base, --method prefix --virtual-tokens 50, .83",
    "bert-base, --method prompt --virtual-tokens 50, .03",
    "t5-small, --method adapter --reduction 32, .33",
    "t5-small, --method lora --rank 16, .96",
    "t5-base, --method adapter --reduction 32, .40",
    "t5-base, --method lora --rank 16, .78",
    "flan-t5-xl, --method adapter, .87",
    "opt-125m, --method lora, .24",
    "opt-1.3b, --method lora --rank 16, .24",
    "vit-base, --method adapter --reduction 8, 2.04"
  })
  void sharesAreThoseOfThePaper(String model, String options, double percent) throws Exception {
    double found = count(model, options).get("trainable_percent").asDouble();
    assertThat(found).isCloseTo(percent, within(TOLERANCE));
  }

  @Test
  void gpt2NeedsTheOtherLibrarysHead() throws Exception {
    Json found = count("gpt2", "--method adapter --reduction 8");
    assertThat(found.get("trainable_percent").asDouble()).isCloseTo(1.41, within(TOLERANCE));
    long two = 768 * 768 + 768 + 768 * 2 + 2; // dense, and dense with two labels
    long own = found.get("head").asLong();
    double with = 100.0 * (found.get("trainable").asLong() - own + two);
    assertThat(with / (found.get("parameters").asLong() - own + two))
        .isCloseTo(1.87, within(TOLERANCE));
  }

  @Test
  void countsAreExact() throws Exception {
    Json bert = count("bert-base", "--method adapter");
    assertThat(bert.get("parameters").asLong() - bert.get("trainable").asLong())
        .isEqualTo(109_482_240); // bert-base-uncased with its pooler
    assertThat(bert.get("trainable").asLong() - bert.get("head").asLong())
        .isEqualTo(12 * (2 * 768 * 48 + 48 + 768));
    Json t5 = count("t5-base", "--method lora");
    assertThat(t5.get("parameters").asLong() - t5.get("trainable").asLong()).isEqualTo(222_903_552);
  }
}
