/**
 * What is learnt and how it is judged: examples, the readers of GLUE and SQuAD, synthetic tasks that
 * need no file, and metrics. Nothing here knows a model or a tokenizer.
 */
package tacet.deft.task;
