import { describe, expect, test } from '@jest/globals';
import { figureRows } from '../../../bench/figure-table.js';
import { ratioOf, spreadOf } from '../../../bench/statistics.js';

const figure = (name: string, ...values: number[]) => ({ name, unit: 's', values });

describe('spread', () => {
  test('has the middle value of an odd count', () => {
    expect(spreadOf([9, 1, 2])).toEqual({ median: 2, min: 1, max: 9 });
  });

  test('has the mean of the two middle values of an even count', () => {
    expect(spreadOf([4, 10, 1, 2])).toEqual({ median: 3, min: 1, max: 10 });
  });

  test('is refused of nothing', () => {
    expect(() => spreadOf([])).toThrow('nothing was measured');
  });
});

describe('ratio', () => {
  test('is that of the medians', () => {
    expect(ratioOf(figure('ours', 1, 6, 100), figure('floor', 2, 3, 4))).toBe(2);
  });

  test('is unknown without values on either side', () => {
    expect(ratioOf(figure('ours', 1), undefined)).toBeUndefined();
    expect(ratioOf(figure('ours', 1), figure('floor'))).toBeUndefined();
    expect(ratioOf(figure('ours'), figure('floor', 1))).toBeUndefined();
  });
});

describe('table of figures', () => {
  const floor = figure('floor', 2);
  const slow = figure('compose', 40);
  const references = [
    { title: '÷ floor', figure: floor, way: 'of the reference' as const },
    { title: 'compose ÷', figure: slow, way: 'of the figure' as const },
  ];

  test('compares each figure with each reference but itself', () => {
    expect(figureRows([figure('ours', 3, 4, 5), floor, slow], references)).toEqual({
      head: ['', 'unit', 'rounds', 'median', 'min', 'max', '÷ floor', 'compose ÷'],
      rows: [
        ['ours', 's', '3', '4.00', '3.00', '5.00', '2.00', '10.00'],
        ['floor', 's', '1', '2.00', '2.00', '2.00', '', '20.00'],
        ['compose', 's', '1', '40.0', '40.0', '40.0', '20.00', ''],
      ],
    });
  });

  test('leaves out what could not be measured', () => {
    expect(figureRows([figure('ours')], references).rows).toEqual([]);
    const missing = [{ title: '÷ floor', figure: undefined, way: 'of the reference' as const }];
    expect(figureRows([figure('ours', 150)], missing).rows).toEqual([
      ['ours', 's', '1', '150', '150', '150', ''],
    ]);
  });
});
