package tacet.transformer;

/** A decoder: reads sequences of tokens, each token what is before it, and goes on with them. */
public interface CausalModel extends TextModel, GenerativeModel {
  @Override
  CausalModel rebuild(Surgery s);
}
