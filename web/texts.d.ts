// The server makes this module from its catalogue: the name of a text, in English and Indonesian.
export const texts: Record<string, [english: string, indonesian: string]>;
