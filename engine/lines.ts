import { StringDecoder } from 'node:string_decoder';

/** Cuts UTF-8 that comes in pieces into lines. */
export interface LineCutter {
  /** @returns the lines that end in this piece. */
  add: (piece: Buffer) => string[];
  /** @returns the last line, if it has begun. */
  end: () => string[];
}

export function lineCutter(): LineCutter {
  const decoder = new StringDecoder();
  /** Of a line that hasn't ended: put together once, however many pieces it has. */
  let begun: string[] = [];
  return {
    add(piece) {
      const [first = '', ...others] = decoder.write(piece).split('\n');
      begun.push(first);
      const next = others.pop();
      if (next === undefined) return [];
      const line = begun.join('');
      begun = [next];
      return [line, ...others];
    },
    end() {
      const line = [...begun, decoder.end()].join('');
      return line === '' ? [] : [line];
    },
  };
}
