/** Timing jobs beside each other, and facts about the machine they ran on. */
package tacet.tensor.measure;
