package tacet.deft.task;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * The words and sentence patterns of {@link SyntheticReviews}: three domains, their aspects with
 * adjectives of both polarities, and patterns whose meaning is known by construction.
 *
 * <p>A pattern is text with slots. The generator picks a polarity P, an aspect for every pattern
 * and a second one where it is asked for; the review is positive if P times the pattern's sign is.
 *
 * <table>
 *   <caption>Slots</caption>
 *   <tr><td>{@code {x} {y}}</td><td>first and second aspect: "acting", "sauces"</td></tr>
 *   <tr><td>{@code {p} {n}}</td><td>adjective of polarity P, or of the opposite one, for x</td></tr>
 *   <tr><td>{@code {q} {m}}</td><td>the same for y</td></tr>
 *   <tr><td>{@code {r}}</td><td>another adjective of polarity P for x</td></tr>
 *   <tr><td>{@code {was x} {was y}}</td><td>"was" or "were"</td></tr>
 *   <tr><td>{@code {it}}</td><td>"it" or "they", for x</td></tr>
 *   <tr><td>{@code {deg}}</td><td>"", "really ", "quite ", …</td></tr>
 *   <tr><td>{@code {some}}</td><td>after a "not": "", "really ", "particularly ", …</td></tr>
 *   <tr><td>{@code {other}}</td><td>what the domain is compared with: "my old one"</td></tr>
 *   <tr><td>{@code {others}}</td><td>people with an opinion: "the critics"</td></tr>
 *   <tr><td>{@code [a|b]}</td><td>a where P is positive, else b</td></tr>
 * </table>
 *
 * <p>Every pattern is used with both polarities, so that none of its words alone betrays the label.
 */
final class ReviewGrammar {
  /** A property of the thing reviewed and what can be said of it. */
  record Aspect(String noun, boolean plural, List<String> good, List<String> bad) {
    List<String> adjectives(boolean positive) {
      return positive ? good : bad;
    }
  }

  /** A kind of thing that is reviewed. */
  record Domain(
      String name,
      List<Aspect> aspects,
      List<String> openers,
      List<String> comparisons,
      List<String> critics) {}

  /** A sentence pattern; {@code sign} 1 keeps the polarity of {@code {p}}, −1 turns it over. */
  record Pattern(String kind, int sign, String text) {}

  static final List<String> DEGREES =
      List.of("", "", "really ", "quite ", "truly ", "remarkably ", "rather ", "surprisingly ");

  static final List<String> DEGREES_AFTER_NOT =
      List.of("", "really ", "particularly ", "exactly ", "terribly ", "all that ");

  static final List<String> TAILS =
      List.of(
          "in my opinion",
          "if you ask me",
          "at least for me",
          "and my sister said the same",
          "as far as i can tell",
          "and i have seen a few",
          "or so it seemed to me",
          "at least on that day");

  static final List<Domain> DOMAINS =
      List.of(
          new Domain(
              "film",
              aspects(
                  """
                  plot | gripping clever inventive moving | predictable tedious muddled ridiculous
                  acting | convincing superb subtle memorable | wooden clumsy lifeless embarrassing
                  ending | satisfying moving clever powerful | disappointing predictable absurd tedious
                  dialogue | witty sharp believable touching | stilted clumsy unbearable pretentious
                  soundtrack | beautiful haunting memorable lovely | irritating bland forgettable awful
                  characters* | lovable believable fascinating vivid | shallow forgettable irritating lifeless
                  jokes* | hilarious witty charming clever | tasteless lame embarrassing tedious
                  effects* | stunning impressive superb beautiful | ugly laughable awful clumsy
                  """),
              List.of(
                  "on a rainy sunday afternoon",
                  "having read the book first",
                  "in a nearly empty cinema",
                  "watching it for the second time",
                  "as a fan of the director"),
              List.of("the first film", "the original", "his last film", "the book"),
              List.of("the critics", "my friends", "most reviewers", "the papers")),
          new Domain(
              "product",
              aspects(
                  """
                  battery | reliable powerful excellent impressive | unreliable weak awful disappointing
                  screen | brilliant crisp gorgeous excellent | blurry dim awful disappointing
                  keyboard | comfortable pleasant solid responsive | flimsy uncomfortable noisy unreliable
                  manual | helpful clear useful thorough | useless confusing incomprehensible sloppy
                  design | elegant clever beautiful practical | ugly clumsy impractical outdated
                  software | fast intuitive reliable helpful | slow buggy confusing infuriating
                  speakers* | impressive clear powerful superb | tinny weak dreadful noisy
                  buttons* | responsive solid practical comfortable | flimsy unresponsive impractical cheap
                  """),
              List.of(
                  "after two weeks of daily use",
                  "out of the box",
                  "for a device of this size",
                  "having used it at work",
                  "on a long train journey"),
              List.of("my old one", "the previous model", "the model from last year", "its rival"),
              List.of("the testers", "my colleagues", "most buyers", "the magazines")),
          new Domain(
              "restaurant",
              aspects(
                  """
                  soup | delicious fragrant wonderful comforting | tasteless greasy awful disappointing
                  service | friendly attentive excellent prompt | rude slow dreadful careless
                  dining room | cosy elegant charming comfortable | gloomy noisy dirty uncomfortable
                  bread | fresh delicious crisp wonderful | stale soggy tasteless disappointing
                  wine list | excellent interesting impressive thoughtful | overpriced boring disappointing uninspired
                  waiters* | friendly helpful charming attentive | rude careless arrogant slow
                  desserts* | delicious wonderful superb heavenly | bland soggy dreadful disappointing
                  vegetables* | fresh crisp delicious tender | soggy tasteless overcooked bland
                  """),
              List.of(
                  "on our second visit",
                  "with a party of six",
                  "on a busy friday night",
                  "coming straight from work",
                  "for our anniversary"),
              List.of(
                  "the place next door",
                  "our usual place",
                  "its sister restaurant",
                  "the old bistro"),
              List.of("my parents", "the guide books", "most guests", "our neighbours")));

  // spotless:off (one pattern per line)
  static final List<Pattern> PATTERNS = patterns("""
      plain +       the {x} {was x} {deg}{p}
      plain +       i found the {x} {deg}{p}
      plain +       the {x} turned out to be {deg}{p}
      plain +       what i remember most is how {p} the {x} {was x}
      plain +       the {x} {was x} {p} and {r}
      plain +       the {x} {was x} so {p} that i [recommended it|complained] at once

      negation -    the {x} {was x} not {some}{p}
      negation -    the {x} {was x} not {p} at all
      negation -    the {x} {was x} never {p}
      negation -    the {x} {was x} anything but {p}
      negation -    the {x} {was x} far from {p}
      negation -    i would not call the {x} {p}
      negation -    nobody could call the {x} {p}
      negation -    there was nothing {p} about the {x}
      negation -    i cannot say that the {x} {was x} {p}
      negation -    the {x} {was x} neither {p} nor {r}
      negation -    the {x} {was x} by no means {p}

      emphasis +    there is no doubt that the {x} {was x} {p}
      emphasis +    i could not stop thinking about how {p} the {x} {was x}
      emphasis +    the {x} {was x} not only {p} but also {r}
      emphasis +    i have never come across {x} as {p} as here

      contrast +    the {x} {was x} {n}, but the {y} {was y} {q}
      contrast +    although the {x} {was x} {n}, the {y} {was y} {deg}{q}
      contrast +    even though the {x} {was x} {n}, i found the {y} {q}
      contrast +    the {y} {was y} {q}, although the {x} {was x} {n}
      contrast +    the {y} {was y} {deg}{q}, even though the {x} {was x} {n}
      contrast +    despite the {n} {x}, the {y} {was y} {deg}{q}
      contrast +    the {y} {was y} {q} despite the {n} {x}
      contrast +    the {x} may have been {n}, yet the {y} {was y} {q}
      contrast -    the {x} {was x} {p}, but the {y} {was y} not {q}
      contrast +    the {x} {was x} not {p}, but the {y} {was y} {q}
      contrast -    although the {x} {was x} {p}, the {y} {was y} not {q}
      contrast -    not even the {p} {x} could [save|spoil] the {m} {y}
      contrast +    in the end the {p} {x} [saved|spoiled] it for me

      irrealis -    the {x} could have been more {p}
      irrealis +    the {x} could hardly have been more {p}
      irrealis -    the {x} might have been {p} in other hands
      irrealis -    if the {x} had been {p}, i would have [recommended it|complained]
      irrealis -    i had [hoped|feared] that the {x} would be {p}, but {it} {was x} not

      comparison +  the {x} {was x} exactly as {p} as i had [hoped|feared]
      comparison -  the {x} {was x} nowhere near as {p} as i had [hoped|feared]
      comparison +  compared with {other}, the {x} {was x} {deg}{p}
      comparison -  the {x} {was x} much less {p} than i remembered
      comparison +  unlike the {n} {x} of {other}, the {x} here {was x} {p}

      reported +    {others} called the {x} {n}, but to me {it} {was x} {p}
      reported +    {others} called the {x} {p}, and i agree
      reported -    {others} called the {x} {p}, and i disagree
      reported -    i do not understand why {others} call the {x} {p}
      """);
  // spotless:on

  private ReviewGrammar() {}

  /** Lines {@code noun | good … | bad …}; a star marks a plural. */
  private static List<Aspect> aspects(String lines) {
    List<Aspect> aspects = new ArrayList<>();
    for (String line : lines.lines().toList()) {
      String[] parts = line.split(" \\| ");
      boolean plural = parts[0].endsWith("*");
      aspects.add(
          new Aspect(
              parts[0].replace("*", ""),
              plural,
              Arrays.asList(parts[1].split(" ")),
              Arrays.asList(parts[2].split(" "))));
    }
    return List.copyOf(aspects);
  }

  /** Lines {@code kind sign text}. */
  private static List<Pattern> patterns(String lines) {
    List<Pattern> patterns = new ArrayList<>();
    for (String line : lines.lines().filter(l -> !l.isBlank()).toList()) {
      String[] parts = line.strip().split(" +", 3);
      patterns.add(new Pattern(parts[0], parts[1].equals("+") ? 1 : -1, parts[2]));
    }
    return List.copyOf(patterns);
  }
}
