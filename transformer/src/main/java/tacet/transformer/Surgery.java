package tacet.transformer;

import java.util.ArrayList;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import tacet.autograd.Parameter;

/**
 * A walk over a model that gives a new one: the tree is rebuilt bottom-up, and a rule may put another
 * part in the place of any part, another parameter in the place of any parameter. What the rule
 * leaves alone is shared with the old model.
 *
 * <pre>{@code
 * Model relu = Surgery.replace(model, (path, part) ->
 *     part instanceof Activation ? Activation.of("relu") : part);
 * Map<String, Parameter> all = Surgery.parameters(model);
 * }</pre>
 */
public final class Surgery {
  /** What comes in the place of a part; returns it unchanged to keep it. */
  @FunctionalInterface
  public interface Rule {
    /** Called with each part after its children. */
    Part apply(String path, Part part);
  }

  /** What comes in the place of a parameter; returns it unchanged to keep it. */
  @FunctionalInterface
  public interface ParameterRule {
    /** Called with each parameter. */
    Parameter apply(String path, Parameter parameter);
  }

  private final String path;
  private final Rule rule;
  private final ParameterRule parameterRule;
  private final Map<Parameter, Parameter> replaced; // in the whole walk

  private Surgery(
      String path, Rule rule, ParameterRule parameterRule, Map<Parameter, Parameter> replaced) {
    this.path = path;
    this.rule = rule;
    this.parameterRule = parameterRule;
    this.replaced = replaced;
  }

  private Surgery(Rule rule, ParameterRule parameterRule) {
    this("", rule, parameterRule, new IdentityHashMap<>());
  }

  // ------------------------------------------------------------------ what can be asked of a model

  /** The model with parts replaced by the rule; the root is offered too, with the path "". */
  public static <P extends Part> P replace(P model, Rule rule) {
    return new Surgery(rule, (path, p) -> p).through(model);
  }

  /** The model with parameters replaced by the rule. */
  public static <P extends Part> P replaceParameters(P model, ParameterRule rule) {
    return new Surgery((path, part) -> part, rule).through(model);
  }

  /** All parameters by name, in the order of the tree. */
  public static Map<String, Parameter> parameters(Part model) {
    Map<String, Parameter> all = new LinkedHashMap<>();
    replaceParameters(
        model,
        (path, p) -> {
          all.put(path, p);
          return p;
        });
    return all;
  }

  /** The trainable parameters by name. */
  public static Map<String, Parameter> trainable(Part model) {
    Map<String, Parameter> all = parameters(model);
    all.values().removeIf(p -> !p.trainable());
    return all;
  }

  /** All parts by path, children before their parents. */
  public static Map<String, Part> parts(Part model) {
    Map<String, Part> all = new LinkedHashMap<>();
    replace(
        model,
        (path, part) -> {
          all.put(path, part);
          return part;
        });
    return all;
  }

  /** The model with all parameters frozen. */
  public static <P extends Part> P frozen(P model) {
    return replaceParameters(model, (path, p) -> p.withTrainable(false));
  }

  /** Number of values in the given parameters. */
  public static long count(Map<String, Parameter> parameters) {
    return parameters.values().stream().mapToLong(p -> p.shape().size()).sum();
  }

  // ------------------------------------------------------------------ what parts call

  /** The child of that name, rebuilt and offered to the rule; null stays null. */
  @SuppressWarnings("unchecked") // a rule that puts a misfit there fails in the caller's cast
  public <P extends Part> P at(String name, P child) {
    if (child == null) {
      return null;
    }
    Surgery inner = new Surgery(join(name), rule, parameterRule, replaced);
    return (P) rule.apply(inner.path, child.rebuild(inner));
  }

  /** Children in a list, named {@code name.0}, {@code name.1}, … */
  public <P extends Part> List<P> each(String name, List<P> children) {
    List<P> out = new ArrayList<>(children.size());
    for (int i = 0; i < children.size(); i++) {
      out.add(at(name + "." + i, children.get(i)));
    }
    return List.copyOf(out);
  }

  /** The part that a wrapper wraps: it keeps this path. */
  @SuppressWarnings("unchecked")
  public <P extends Part> P through(P base) {
    return (P) rule.apply(path, base.rebuild(this));
  }

  /**
   * The parameter of that name; null stays null. One that several parts share is offered to the rule
   * once, under its first name, and stays shared.
   */
  public Parameter parameter(String name, Parameter p) {
    if (p == null) {
      return null;
    }
    Parameter known = replaced.get(p);
    if (known == null) {
      known = parameterRule.apply(join(name), p);
      replaced.put(p, known);
    }
    return known;
  }

  private String join(String name) {
    return path.isEmpty() ? name : path + "." + name;
  }
}
