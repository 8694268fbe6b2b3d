package tacet.transformer.model;

import java.io.IOException;
import java.util.List;
import tacet.autograd.Ops;
import tacet.autograd.Pass;
import tacet.autograd.TokenOps;
import tacet.autograd.Var;
import tacet.transformer.Batch;
import tacet.transformer.Layer;
import tacet.transformer.Part;
import tacet.transformer.Surgery;
import tacet.transformer.TextModel;
import tacet.transformer.checkpoint.Weights;

/**
 * RoBERTa (Liu et al. 2019), as Hugging Face's modeling_roberta names and computes it: {@link Bert}'s
 * blocks, positions that begin after the padding id and skip padding, and a head of two layers over
 * the first token instead of a pooler.
 */
public final class Roberta {
  private Roberta() {}

  // ------------------------------------------------------------------ positions

  /**
   * Positions as RoBERTa counts them: padding takes row {@code padId}, the other tokens the rows
   * after it in order ({@code create_position_ids_from_input_ids}). Where some tokens are vectors
   * padding cannot be told from tokens and counts too ({@code
   * create_position_ids_from_inputs_embeds}).
   */
  static int[] positions(Batch batch, int padId, int before) {
    int[] rows = new int[batch.ids().length];
    int next = padId;
    for (int i = 0; i < rows.length; i++) {
      next = i % batch.length() == 0 ? padId + before : next;
      boolean padding = batch.vectors() == 0 && batch.ids()[i] == padId;
      rows[i] = padding ? padId : ++next;
    }
    return rows;
  }

  // ------------------------------------------------------------------ models

  /** The head: out_proj(dropout(tanh(dense(dropout(first token))))). */
  public record Head(Layer dense, Layer out_proj, double dropout) implements Part {
    Var forward(Pass pass, Var x) {
      Var first = TokenOps.pick(pass, x, new int[x.shape().dim(0)]); // [B, D]
      Var h = Ops.tanh(pass, dense.forward(pass, Ops.dropout(pass, first, dropout)));
      return out_proj.forward(pass, Ops.dropout(pass, h, dropout)); // [B, C]
    }

    @Override
    public Head rebuild(Surgery s) {
      return new Head(s.at("dense", dense), s.at("out_proj", out_proj), dropout);
    }
  }

  /** Sequence classification (C labels) or regression (one). */
  public record Classifier(Bert.Model roberta, Head classifier) implements TextModel {
    @Override
    public TextModel.Output forward(Pass pass, Batch batch) {
      List<Var> hidden = roberta.hidden(pass, batch);
      Var logits = classifier.forward(pass, hidden.get(hidden.size() - 1)); // [B, C]
      return new TextModel.Output(logits, hidden);
    }

    @Override
    public Classifier rebuild(Surgery s) {
      return new Classifier(s.at("roberta", roberta), s.at("classifier", classifier));
    }
  }

  /** Extractive question answering: logits [B, S, 2] of where the answer starts and ends. */
  public record QuestionAnswering(Bert.Model roberta, Layer qa_outputs) implements TextModel {
    @Override
    public TextModel.Output forward(Pass pass, Batch batch) {
      List<Var> hidden = roberta.hidden(pass, batch);
      Var logits = qa_outputs.forward(pass, hidden.get(hidden.size() - 1)); // [B, S, 2]
      return new TextModel.Output(logits, hidden);
    }

    @Override
    public QuestionAnswering rebuild(Surgery s) {
      return new QuestionAnswering(s.at("roberta", roberta), s.at("qa_outputs", qa_outputs));
    }
  }

  // ------------------------------------------------------------------ loading

  /** The encoder of a checkpoint, with its pooler where the file has one; frozen. */
  public static Bert.Model model(Bert.Config c, Weights w) throws IOException {
    Loader load = new Loader(w);
    Bert.Pooler pooler =
        w.has("pooler.dense.weight")
            ? new Bert.Pooler(load.linear("pooler.dense", c.hiddenSize(), c.hiddenSize()))
            : null;
    return Bert.model(
        c, load, (batch, before) -> positions(batch, c.padId(), before), c.padId(), pooler);
  }

  private static Bert.Model withoutPooler(Bert.Config c, Loader load) throws IOException {
    return Bert.model(
        c, load, (batch, before) -> positions(batch, c.padId(), before), c.padId(), null);
  }

  /**
   * The classifier of a checkpoint, frozen; a head that the file lacks is made new, as {@link
   * Bert#classifier} does.
   *
   * @param labels outputs of the head, 1 for regression
   */
  public static Classifier classifier(Bert.Config c, Weights w, int labels, long seed)
      throws IOException {
    Loader load = new Loader(w);
    int d = c.hiddenSize();
    Head head =
        new Head(
            load.head("classifier.dense", d, d, true, c.initializerRange(), seed),
            load.head("classifier.out_proj", d, labels, true, c.initializerRange(), seed),
            c.classifierDropout());
    return new Classifier(withoutPooler(c, load), head);
  }

  /** The question answering model of a checkpoint, frozen; see {@link #classifier}. */
  public static QuestionAnswering questionAnswering(Bert.Config c, Weights w, long seed)
      throws IOException {
    Loader load = new Loader(w);
    return new QuestionAnswering(
        withoutPooler(c, load),
        load.head("qa_outputs", c.hiddenSize(), 2, true, c.initializerRange(), seed));
  }
}
