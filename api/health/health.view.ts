import { Choice, Flag, ListOf } from '../common/fields.js';

/** The process runs. */
export class AliveView {
  @Choice(['ok'], { description: 'Always.' })
  status: string;
}

/** A part that is needed. */
export class PartView {
  @Choice(['database', 'migrations', 'temporal'], { description: 'The part.' })
  part: string;

  @Flag({ description: 'It answers.' })
  ready: boolean;
}

/** Whether requests can be answered. */
export class ReadyView {
  @Choice(['ready', 'not_ready'], { description: 'Whether every part answers.' })
  status: string;

  @ListOf(() => PartView, { max: 10, description: 'The parts.' })
  parts: PartView[];
}
