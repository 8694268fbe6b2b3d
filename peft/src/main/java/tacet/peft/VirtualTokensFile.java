package tacet.peft;

import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import tacet.autograd.Parameter;
import tacet.tensor.Tensor;
import tacet.transformer.Part;
import tacet.transformer.Seq2SeqModel;
import tacet.transformer.Surgery;
import tacet.transformer.checkpoint.Json;

/**
 * Prefixes and prompts in peft's files: one tensor {@code prompt_embeddings}, and {@code
 * base_model.} + path for a module that was trained whole.
 *
 * <p>P-tuning (Liu et al. 2021) learns its prompt as the output of a small network. peft's files have
 * what came out, not the network, so to a reader it is a prompt, and is written as one.
 *
 * <p>A prefix with the paper's semantics is no prefix to peft and has a type of its own, which peft
 * refuses.
 */
final class VirtualTokensFile {
  static final String NAME = "prompt_embeddings";
  static final String PAPER_PREFIX = "PREFIX_TUNING_PAPER";
  private static final String PREFIX = "base_model.";

  private VirtualTokensFile() {}

  static Map<String, Parameter> parameters(Part model, PeftMethod method) {
    Map<String, Parameter> out = new LinkedHashMap<>();
    Surgery.parameters(model)
        .forEach(
            (path, p) -> {
              if (path.endsWith("." + NAME) || path.equals(NAME)) {
                out.put(NAME, p);
              } else if (Adapted.isSaved(path, method.modulesToSave())) {
                out.put(PREFIX + path, p);
              }
            });
    return out;
  }

  // ------------------------------------------------------------------ configurations

  static Map<String, Object> config(Part model, Prefix prefix) {
    Prefix.Plan plan = prefix.plan(model);
    boolean paper = prefix.semantics() == Prefix.Semantics.PAPER;
    Map<String, Object> c = new TreeMap<>();
    c.put("encoder_hidden_size", plan.width());
    c.put("num_attention_heads", plan.heads());
    c.put("num_layers", plan.layers());
    c.put("num_transformer_submodules", isEncoderDecoder(model) ? 2 : 1);
    c.put("num_virtual_tokens", prefix.tokens());
    c.put("peft_type", paper ? PAPER_PREFIX : "PREFIX_TUNING");
    c.put("prefix_projection", false);
    c.put("token_dim", plan.width());
    return c;
  }

  static Map<String, Object> config(Part model, Prompt prompt, String taskType, String tokenizer) {
    Parameter table = parameters(model, prompt).get(NAME);
    Prefix.Plan plan = new Prefix(1, Prefix.Semantics.PEFT, List.of()).plan(model);
    Map<String, Object> c = new TreeMap<>();
    c.put("num_attention_heads", plan.heads());
    c.put("num_layers", plan.layers());
    c.put("num_transformer_submodules", table.shape().dim(0) / prompt.tokens());
    c.put("num_virtual_tokens", prompt.tokens());
    c.put("peft_type", "PROMPT_TUNING");
    c.put("prompt_tuning_init", prompt.start().kind().name());
    c.put("prompt_tuning_init_text", prompt.start().text());
    c.put("token_dim", table.shape().last());
    boolean text = prompt.start().kind() == Prompt.Start.Kind.TEXT;
    c.put("tokenizer_name_or_path", text ? tokenizer : null);
    return c;
  }

  private static boolean isEncoderDecoder(Part model) {
    return Surgery.parameters(model).keySet().stream().anyMatch(p -> p.startsWith("decoder.block"));
  }

  // ------------------------------------------------------------------ reading

  static <P extends Part> AdapterFile.Loaded<P> loadPrefix(Json c, AdapterFile.Contents in, P model)
      throws IOException {
    Prefix.Semantics semantics =
        c.get("peft_type").asString().equals(PAPER_PREFIX)
            ? Prefix.Semantics.PAPER
            : Prefix.Semantics.PEFT;
    int stacks = model instanceof Seq2SeqModel ? 2 : 1;
    int given = c.intOr("num_transformer_submodules", stacks);
    if (given != stacks) { // peft then mixes up layers or fails
      throw c.error("num_transformer_submodules is " + given + ", this model has " + stacks);
    }
    Prefix prefix = new Prefix(tokens(c), semantics, AdapterFile.strings(c, "modules_to_save"));
    Prefix.Plan plan = prefix.plan(model);
    Tensor table = in.take(NAME, prefix.tokens(), 2 * plan.layers() * plan.width());
    P adapted =
        in.modules(prefix.install(model, table), prefix.modulesToSave(), VirtualTokensFile::nameOf);
    return new AdapterFile.Loaded<>(adapted, prefix);
  }

  static <P extends Part> AdapterFile.Loaded<P> loadPrompt(Json c, AdapterFile.Contents in, P model)
      throws IOException {
    int p = tokens(c);
    int rows = in.tensors().containsKey(NAME) ? in.tensors().get(NAME).shape().dim(0) : p;
    boolean spare = model instanceof Seq2SeqModel; // peft writes rows for the decoder, never read
    if (rows != p && !(spare && rows == 2 * p)) {
      throw c.error(NAME + " has " + rows + " rows, num_virtual_tokens is " + p);
    }
    Prompt prompt = new Prompt(p, start(c), AdapterFile.strings(c, "modules_to_save"));
    P adapted =
        prompt.install(
            model,
            words -> {
              int d = words.shape().last();
              return in.take(NAME, rows, d);
            });
    P complete = in.modules(adapted, prompt.modulesToSave(), VirtualTokensFile::nameOf);
    return new AdapterFile.Loaded<>(complete, prompt);
  }

  /** Where the vectors came from; without the tokens of a text, which nothing needs any more. */
  private static Prompt.Start start(Json c) throws IOException {
    return switch (c.stringOr("prompt_tuning_init", "RANDOM")) {
      case "TEXT" -> Prompt.Start.text(c.stringOr("prompt_tuning_init_text", ""), List.of(0));
      case "SAMPLE_VOCAB" -> Prompt.Start.vocabulary();
      default -> Prompt.Start.random();
    };
  }

  private static int tokens(Json c) throws IOException {
    int tokens = c.get("num_virtual_tokens").asInt();
    if (tokens < 1) {
      throw c.error("num_virtual_tokens must be at least 1, it is " + tokens);
    }
    return tokens;
  }

  private static String nameOf(String path) {
    return PREFIX + path;
  }
}
