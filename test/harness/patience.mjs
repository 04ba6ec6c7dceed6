/* How long a test or hook may take on a busy machine. One that takes longer by nature says so itself. */
import { jest } from '@jest/globals';

jest.setTimeout(120_000);
