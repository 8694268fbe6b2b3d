"""Golden values for SquadTest (resources/tacet/deft/task/squad.txt), by the rules of SQuAD v1.1's evaluation.

Lower case; ASCII punctuation removed; the articles a, an, the removed as whole words; split at white space.
Exact match: equal. F1: of the words, as multisets; 0 if none is shared.
usage: python make_squad.py >squad.txt      prints JSON lines [prediction, reference, normalised prediction, exact, F1]
"""
import collections, json, random, re, string

def normalise(text):
    text = ''.join(c for c in text.lower() if c not in string.punctuation)
    return ' '.join(re.sub(r'\b(a|an|the)\b', ' ', text).split())

def f1(prediction, reference):
    p, r = normalise(prediction).split(), normalise(reference).split()
    shared = sum((collections.Counter(p) & collections.Counter(r)).values())
    return 0.0 if not shared else 2 * (shared / len(p)) * (shared / len(r)) / (shared / len(p) + shared / len(r))

cases = [('The Denver Broncos', 'Denver Broncos'), ('a theatre, an anthem', 'theatre anthem'), ('the', 'The'), ('', ''), ('', 'x'),
         ('$1.2 billion', '$1.2 billion.'), ('10,000', '10000'), ("O'Neill's", 'ONeills'), ('the-a', 'thea'), ('a.n.', 'an'), ('an a the', 'nothing'),
         ('red red blue', 'red blue blue'), ('Ünïted\u00a0Stätes', 'ünïted stätes'), ('İstanbul', 'i\u0307stanbul'), ('ΟΔΟΣ', 'οδος'),
         ('the “A” team', 'a “team”'), ('a\u0301 b', 'b'), ('½ a²', '½'), ('x_the_y the', 'xthey'), ('line\u2028two\x1cthree', 'line two three'),
         ('\U00010400 a', '\U00010428'), ('東京 a 京都', '東京 京都'), ('a東京', '東京'), ('7 the 7', '7 7 7'), ('–the–', '––')]
rng = random.Random(1); words = 'the a an The cat, dog. dogs cat-dog 12 café a. (the) _a_ an!'.split()
for _ in range(60): cases.append((' '.join(rng.choices(words, k=rng.randint(0, 7))), ' '.join(rng.choices(words, k=rng.randint(1, 7)))))
for p, r in cases: print(json.dumps([p, r, normalise(p), normalise(p) == normalise(r), f1(p, r)]))
