package tacet.deft;

import tacet.autograd.Pass;
import tacet.autograd.Var;
import tacet.tensor.Engine;
import tacet.transformer.Part;

/**
 * What a model is to learn, as the {@link Trainer} sees it: numbered examples, a loss, a judgement.
 *
 * @param <M> the kind of model: texts to numbers, images to numbers, texts to texts
 */
public interface Problem<M extends Part> {
  /** The name in metrics.json. */
  String name();

  /** Number of training examples. */
  int size();

  /** Length of a training example in tokens: examples of like length share a batch. */
  int length(int example);

  /**
   * Makes a batch of training examples ready.
   *
   * @param examples their numbers
   * @param seed of what is random in it, such as masked words
   * @param step optimizer step that it belongs to
   */
  Load<M> load(int[] examples, long seed, long step);

  /** Judges a model on the examples that are not trained on. */
  Evaluator.Result evaluate(Engine engine, M model);

  /**
   * What a model gives for the first of the examples that are not trained on, one after the other: for
   * comparing two models. It is shown nothing else, and observers see all of its passes.
   *
   * @param examples at most so many
   * @param observer is shown the layers' activations; see {@link Watch}
   */
  float[] outputs(Engine engine, M model, int examples, Watch observer);

  /** The same, with nobody watching. */
  default float[] outputs(Engine engine, M model, int examples) {
    return outputs(engine, model, examples, (pass, tokens) -> {});
  }

  /** Is told of each forward pass before it begins, and may set its observer. */
  @FunctionalInterface
  interface Watch {
    /** A pass over these tokens begins. */
    void begins(Pass pass, Tokens tokens);
  }

  /**
   * A batch of examples.
   *
   * @param <M> the kind of model
   */
  interface Load<M extends Part> {
    /** Which tokens the layers of a model see; one with a prompt sees more than the batch has. */
    Tokens tokens(M model);

    /** How much of its step this batch is: the number of terms whose mean its loss is. */
    double weight();

    /** Runs the model; the mean loss, a scalar. */
    Var loss(Pass pass, M model);

    /**
     * Runs the model without judging it, for those who watch its layers: its head need not fit the
     * task.
     */
    default void run(Pass pass, M model) {
      loss(pass, model);
    }
  }
}
