/** Experiments: many runs from one plan, and the tables and figures that they make. */
package tacet.deft.experiment;
