package tacet.deft.task;

import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.stream.IntStream;

/**
 * Tasks about made-up facts ("anna hid the red key in the kitchen on monday") that need no file:
 * entailment of a pair, similarity as a regression, and reading comprehension with extractive
 * answers. The same seed gives the same examples; train and dev share none.
 *
 * <p>Wrong hypotheses and distracting sentences are made of words that the text does contain, in
 * other roles: what counts is who did what, not which words occur.
 */
public final class SyntheticFacts {
  private static final List<String> PEOPLE =
      words("anna boris clara david elena felix greta hugo irene jonas karla louis");
  private static final List<String> VERBS =
      words("hid found sold painted cleaned lost repaired borrowed photographed weighed");
  private static final List<String> COLOURS =
      words("red blue green yellow black white silver wooden");
  private static final List<String> THINGS =
      words("key lamp violin box bicycle clock umbrella suitcase mirror chair kettle map");
  private static final List<String> PLACES =
      words("kitchen garden library station market museum cellar school harbour office");
  private static final List<String> DAYS =
      words("monday tuesday wednesday thursday friday saturday sunday");

  /** How many facts the text of an entailment pair, and of a question, tells. */
  private static final int PAIR_FACTS = 3;

  private static final int READING_FACTS = 5;

  /** The roles that are asked for. */
  private static final List<Integer> SLOTS = List.of(0, 3, 4, 2);

  private static final int MAX_SCORE = 5;

  private SyntheticFacts() {}

  /** Five slots and the sentences they make. */
  private record Fact(String who, String verb, String thing, String place, String day) {
    String active() {
      return who + " " + verb + " the " + thing + " in the " + place + " on " + day + ".";
    }

    String fronted() {
      return "on " + day + ", " + who + " " + verb + " the " + thing + " in the " + place + ".";
    }

    String cleft() {
      return "it was "
          + who
          + " who "
          + verb
          + " the "
          + thing
          + " in the "
          + place
          + " on "
          + day
          + ".";
    }

    String told(SplittableRandom random) {
      return switch (random.nextInt(3)) {
        case 0 -> active();
        case 1 -> fronted();
        default -> cleft();
      };
    }

    String slot(int i) {
      return switch (i) {
        case 0 -> who;
        case 1 -> verb;
        case 2 -> thing;
        case 3 -> place;
        default -> day;
      };
    }

    String question(int slot) {
      return switch (slot) {
        case 0 -> "who " + verb + " the " + thing + "?";
        case 2 -> "what was in the " + place + " on " + day + "?";
        case 3 -> "where was the " + thing + " on " + day + "?";
        default -> "when was " + who + " in the " + place + "?";
      };
    }

    String answer(int slot) {
      return (slot == 2 || slot == 3 ? "the " : "") + slot(slot);
    }

    Fact with(int i, String value) {
      return new Fact(
          i == 0 ? value : who,
          i == 1 ? value : verb,
          i == 2 ? value : thing,
          i == 3 ? value : place,
          i == 4 ? value : day);
    }
  }

  // ---------------------------------------------------------------- tasks

  /** Does the text say so? A pair task: text of three facts, hypothesis; entailment 0. */
  public static Task entailment(long seed, int train, int dev) {
    return new Task(
        "facts-entailment",
        List.of("entailment", "not_entailment"),
        List.of(Metric.ACCURACY),
        () -> distinct(train, seed, 0, SyntheticFacts::pair),
        () -> distinct(dev, seed, 1, SyntheticFacts::pair));
  }

  /** How alike are two facts? A regression from 0 to 5: the number of equal roles. */
  public static Task similarity(long seed, int train, int dev) {
    return new Task(
        "facts-similarity",
        List.of(),
        List.of(Metric.PEARSON, Metric.SPEARMAN),
        () -> distinct(train, seed, 0, SyntheticFacts::similar),
        () -> distinct(dev, seed, 1, SyntheticFacts::similar));
  }

  /**
   * Who, where, when? Questions about five facts, in the form of SQuAD.
   *
   * @param dev whether to give the questions to judge by, and not those to learn from
   */
  public static List<Squad.Question> reading(long seed, int count, boolean dev) {
    SplittableRandom random = new SplittableRandom(2 * seed + (dev ? 1 : 0));
    List<Squad.Question> questions = new ArrayList<>(count);
    Set<String> contexts = new HashSet<>();
    while (questions.size() < count) {
      Squad.Question q =
          question((dev ? "dev-" : "train-") + questions.size(), random, dev ? 1 : 0);
      if (contexts.add(q.context())) {
        questions.add(q);
      }
    }
    return questions;
  }

  /**
   * Texts to pre-train on, of the side that is learnt from: each tells two to four facts, and then
   * every one of them again, in another order, in other words, or as a question with its answer.
   * Whatever is hidden of such a text is told elsewhere in it.
   */
  public static List<String> retold(long seed, int count) {
    SplittableRandom random = new SplittableRandom(2 * seed);
    List<String> texts = new ArrayList<>(count);
    while (texts.size() < count) {
      List<Fact> facts = facts(2 + random.nextInt(3), random, 0);
      StringBuilder text = new StringBuilder(text(facts, random));
      shuffle(facts, random);
      for (Fact f : facts) {
        int slot = SLOTS.get(random.nextInt(4));
        text.append(' ')
            .append(
                random.nextBoolean() ? f.told(random) : f.question(slot) + " " + f.answer(slot));
      }
      texts.add(text.toString());
    }
    return texts;
  }

  // ---------------------------------------------------------------- making examples

  private interface Maker {
    Example make(SplittableRandom random, boolean even, int side);
  }

  private static List<Example> distinct(int count, long seed, int side, Maker maker) {
    SplittableRandom random = new SplittableRandom(2 * seed + side);
    List<Example> examples = new ArrayList<>(count);
    Set<String> seen = new HashSet<>();
    while (examples.size() < count) {
      Example e = maker.make(random, examples.size() % 2 == 0, side);
      if (seen.add(e.text() + "|" + e.pair())) {
        examples.add(e);
      }
    }
    shuffle(examples, random);
    return examples;
  }

  private static Example pair(SplittableRandom random, boolean entailed, int side) {
    List<Fact> facts = facts(PAIR_FACTS, random, side);
    Fact asked = facts.get(random.nextInt(facts.size()));
    if (!entailed) {
      // Another fact's value in one role; facts differ in every role, so the text never says so.
      int slot = random.nextInt(5);
      Fact other = pickOther(facts, asked, random);
      asked = asked.with(slot, other.slot(slot));
    }
    return new Example(text(facts, random), asked.told(random), entailed ? 0 : 1);
  }

  private static Example similar(SplittableRandom random, boolean unused, int side) {
    Fact fact = fact(random, side);
    Fact other = fact;
    int equal = random.nextInt(MAX_SCORE + 1);
    List<Integer> slots = new ArrayList<>(IntStream.range(0, 5).boxed().toList());
    shuffle(slots, random);
    for (int slot : slots.subList(equal, 5)) {
      String value;
      do {
        value = fact(random, side).slot(slot);
      } while (value.equals(fact.slot(slot)));
      other = other.with(slot, value);
    }
    return new Example(fact.told(random), other.told(random), equal);
  }

  private static Squad.Question question(String id, SplittableRandom random, int side) {
    List<Fact> facts = facts(READING_FACTS, random, side);
    Fact f = facts.get(random.nextInt(facts.size()));
    int slot = SLOTS.get(random.nextInt(4));
    String question = f.question(slot);
    String context = text(facts, random);
    String answer = f.answer(slot);
    // Facts of one text differ in every role: the answer occurs in it exactly once.
    return new Squad.Question(
        id, context, question, List.of(new Squad.Answer(answer, context.indexOf(answer))));
  }

  private static String text(List<Fact> facts, SplittableRandom random) {
    return String.join(" ", facts.stream().map(f -> f.told(random)).toList());
  }

  /** Facts that differ from each other in every role. */
  private static List<Fact> facts(int count, SplittableRandom random, int side) {
    List<Fact> facts = new ArrayList<>();
    while (facts.size() < count) {
      Fact next = fact(random, side);
      if (facts.stream()
          .allMatch(f -> IntStream.range(0, 5).noneMatch(i -> f.slot(i).equals(next.slot(i))))) {
        facts.add(next);
      }
    }
    return facts;
  }

  /** A fact of one side: which person does a thing on which day belongs to train or to dev. */
  private static Fact fact(SplittableRandom random, int side) {
    while (true) {
      int who = random.nextInt(PEOPLE.size());
      int thing = random.nextInt(THINGS.size());
      int day = random.nextInt(DAYS.size());
      if ((who + 5 * thing + 3 * day) % 4 == 0 == (side == 1)) {
        return new Fact(
            PEOPLE.get(who),
            pick(VERBS, random),
            pick(COLOURS, random) + " " + THINGS.get(thing),
            pick(PLACES, random),
            DAYS.get(day));
      }
    }
  }

  private static List<String> words(String text) {
    return List.of(text.split(" "));
  }

  private static <T> T pick(List<T> list, SplittableRandom random) {
    return list.get(random.nextInt(list.size()));
  }

  private static <T> T pickOther(List<T> list, T not, SplittableRandom random) {
    T choice;
    do {
      choice = pick(list, random);
    } while (choice.equals(not));
    return choice;
  }

  private static void shuffle(List<?> list, SplittableRandom random) {
    Collections.shuffle(list, Random.from(random));
  }
}
