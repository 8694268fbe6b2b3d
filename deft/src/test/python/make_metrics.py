"""Golden values for MetricTest (resources/tacet/deft/task/metrics.txt), by scikit-learn 1.9 and scipy 1.17.

Prints "name; predicted; labels; accuracy; F1; Matthews" and "name; predicted; labels; Pearson; Spearman".
usage: python make_metrics.py >metrics.txt      needs scikit-learn, scipy, numpy
"""
import numpy as np
from scipy.stats import pearsonr, spearmanr
from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef

def classes(name, predicted, labels):
    a, m = accuracy_score(labels, predicted), matthews_corrcoef(labels, predicted)
    f = f1_score(labels, predicted, average='binary', zero_division=0) if max(predicted + labels) < 2 else float('nan')
    print(f'{name}; {predicted}; {labels}; {a!r}; {float(f)!r}; {float(m)!r}')

def values(name, predicted, labels):
    print(f'{name}; {predicted}; {labels}; {float(pearsonr(predicted, labels)[0])!r}; {float(spearmanr(predicted, labels)[0])!r}')

rng = np.random.default_rng(1)
classes('mixed', [1, 0, 1, 1, 0, 0, 1, 0, 1, 1], [1, 0, 0, 1, 0, 1, 1, 0, 1, 0])
classes('perfect', [0, 1, 1, 0], [0, 1, 1, 0])
classes('inverted', [1, 0, 0, 1], [0, 1, 1, 0])
classes('one class predicted', [1, 1, 1, 1], [0, 1, 1, 0])
classes('class 1 never', [0, 0, 0], [0, 0, 0])
classes('three classes', [0, 1, 2, 2, 1, 0, 0, 2, 1, 1], [0, 1, 2, 1, 1, 0, 2, 2, 0, 1])
labels = rng.integers(0, 2, 60); flip = rng.random(60) < .2
classes('random', [int(x) for x in np.where(flip, 1 - labels, labels)], [int(x) for x in labels])
values('no ties', [0.1, 2.5, 1.7, 4.9, 3.3], [0.0, 2.0, 2.4, 5.0, 3.0])
values('ties', [1.0, 1.0, 2.0, 3.0, 3.0, 3.0], [0.5, 1.5, 1.5, 4.0, 2.0, 4.0])
values('falling', [3.0, 2.0, 1.0], [1.0, 4.0, 9.0])
values('large offset', [1e6 + 1, 1e6 + 2, 1e6 + 4, 1e6 + 3], [1.0, 2.0, 3.0, 5.0])
gold = np.round(rng.random(40) * 5, 1)
values('random', [round(float(x), 3) for x in gold + rng.normal(size=40)], [float(x) for x in gold])
