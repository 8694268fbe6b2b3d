package tacet.cli;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import tacet.autograd.Losses;
import tacet.autograd.Pass;
import tacet.autograd.Var;
import tacet.tensor.Shape;
import tacet.tensor.Tensor;
import tacet.transformer.Batch;
import tacet.transformer.Seq2SeqModel;
import tacet.transformer.checkpoint.SafeTensors;
import tacet.transformer.model.TextModels.Head;

/**
 * The tensors of {@code tacet forward}, named as Hugging Face's models name their arguments.
 *
 * @param file for error messages; null without a file
 * @param in the open file; null without a file
 */
record ForwardInputs(Path file, SafeTensors in) {
  private boolean has(String name) {
    return in != null && in.names().contains(name);
  }

  private int[] integers(String name) throws IOException {
    return Arrays.stream(in.readLongs(name)).mapToInt(Math::toIntExact).toArray();
  }

  /**
   * input_ids, attention_mask and token_type_ids, [B, S] each; the last two may be missing.
   *
   * @param types whether the model has token types at all
   */
  Batch batch(boolean types) throws IOException {
    if (!has("input_ids")) {
      throw new UserException(
          (file == null ? "--inputs is missing: " : file + ": has no input_ids: ")
              + "the model reads tokens");
    }
    Shape shape = in.read("input_ids").shape();
    if (shape.rank() != 2) {
      throw new UserException(file + ": input_ids must be [batch, length], it is " + shape);
    }
    int[][] values = new int[3][shape.size()];
    Arrays.fill(values[1], 1);
    List<String> names = List.of("input_ids", "attention_mask", "token_type_ids");
    for (int i = 0; i < names.size(); i++) {
      String name = names.get(i);
      if (!has(name)) {
        continue;
      }
      if (i == 2 && !types) {
        throw new UserException(file + ": the model has no token types; leave out " + name);
      }
      Shape found = in.read(name).shape();
      if (!found.equals(shape)) {
        throw new UserException(
            file + ": " + name + " has shape " + found + ", input_ids " + shape);
      }
      values[i] = integers(name);
    }
    return new Batch(shape.dim(0), shape.dim(1), values[0], values[2], values[1]);
  }

  /**
   * What a decoder sees: decoder_input_ids, else the labels shifted right.
   *
   * @param size B, examples of the source
   */
  Batch target(Seq2SeqModel model, int size) throws IOException {
    String name = has("decoder_input_ids") ? "decoder_input_ids" : "labels";
    if (!has(name)) {
      throw new UserException(
          file + ": has neither labels nor decoder_input_ids, and the model writes sequences");
    }
    Shape shape = in.read(name).shape();
    if (shape.rank() != 2 || shape.dim(0) != size) {
      throw new UserException(
          file + ": " + name + " must be [" + size + ", length], it is " + shape);
    }
    if (has("labels")) {
      requireLabels("labels", shape.size());
    }
    int[] labels = integers(has("labels") ? "labels" : name);
    Batch shifted = model.target(size, shape.dim(1), labels);
    if (name.equals("labels")) {
      return shifted;
    }
    return new Batch(size, shape.dim(1), integers(name), shifted.typeIds(), shifted.mask());
  }

  /** pixel_values, [B, channels, height, width]. */
  Tensor pixels() throws IOException {
    if (!has("pixel_values")) {
      throw new UserException(file + ": has no pixel_values, and the model sees images");
    }
    return in.read("pixel_values");
  }

  /** Whether there is what the loss of a head compares with. */
  boolean hasLabels(Head head) {
    return head == Head.QUESTION_ANSWERING
        ? has("start_positions") && has("end_positions")
        : head != Head.NONE && has("labels");
  }

  /**
   * The loss that Hugging Face's model of that head computes.
   *
   * @param problem the configuration's problem_type, or null: it follows from labels and outputs
   */
  Var loss(Pass pass, Var logits, Head head, String problem) throws IOException {
    if (head == Head.QUESTION_ANSWERING) {
      requireLabels("start_positions", logits.shape().dim(0));
      requireLabels("end_positions", logits.shape().dim(0));
      return Losses.span(pass, logits, integers("start_positions"), integers("end_positions"));
    }
    if (head == Head.SEQUENCE_TO_SEQUENCE) {
      requireLabels("labels", logits.shape().rows());
      return Losses.crossEntropy(pass, logits, integers("labels"));
    }
    if (head == Head.LANGUAGE_MODEL) {
      int[] labels = behind(integers("labels"), logits.shape());
      requireLabels("labels", logits.shape().rows(), labels.length);
      return Losses.nextToken(pass, logits, labels);
    }
    boolean integral = in.info("labels").dtype().isInteger();
    String kind =
        problem != null
            ? problem
            : logits.shape().last() == 1
                ? "regression"
                : integral ? "single_label_classification" : "multi_label_classification";
    boolean one = kind.equals("single_label_classification");
    requireLabels("labels", one ? logits.shape().rows() : logits.value().size());
    return switch (kind) {
      case "regression" -> Losses.meanSquaredError(pass, logits, in.read("labels").toArray());
      case "single_label_classification" -> Losses.crossEntropy(pass, logits, integers("labels"));
      case "multi_label_classification" ->
          Losses.binaryCrossEntropy(pass, logits, in.read("labels").toArray());
      default -> throw new UserException("config.json: problem_type \"" + kind + "\" is not known");
    };
  }

  /** Tokens of the model's own that stand before those of the file are not predicted. */
  private static int[] behind(int[] labels, Shape logits) {
    int b = logits.dim(0);
    int s = labels.length / Math.max(1, b);
    int all = logits.dim(1);
    if (s >= all || s * b != labels.length) {
      return labels;
    }
    int[] longer = new int[b * all];
    Arrays.fill(longer, Losses.IGNORED);
    for (int i = 0; i < b; i++) {
      System.arraycopy(labels, i * s, longer, (i + 1) * all - s, s);
    }
    return longer;
  }

  private void requireLabels(String name, int expected) throws IOException {
    requireLabels(name, expected, in.read(name).size());
  }

  private void requireLabels(String name, int expected, int found) throws IOException {
    if (found != expected) {
      throw new UserException(
          file + ": " + name + " must have " + expected + " values, it has " + found);
    }
  }
}
