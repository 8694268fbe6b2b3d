/**
 * Models as immutable trees of parts. A {@link tacet.transformer.Part} knows how to rebuild itself
 * from its children; from that one method come names, parameters, freezing, saving and every kind of
 * {@link tacet.transformer.Surgery}.
 */
package tacet.transformer;
