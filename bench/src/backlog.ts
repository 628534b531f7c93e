/** Fills a function's queue over HTTP, as fast as it goes, with so many calls of a size. */
import { Pool } from 'undici';

const connections = 64;

export async function fillBacklog(url: string, name: string, count: number, bytes: number): Promise<void> {
  const pool = new Pool(url, { connections });
  const body = Buffer.alloc(bytes, 'x');
  let left = count;
  await Promise.all(Array.from({ length: connections }, async () => {
    while (left-- > 0) {
      const { statusCode, body: answer } = await pool.request({ path: `/async-function/${name}`, method: 'POST', body });
      await answer.dump();
      if (statusCode !== 202) throw new Error(`accept answered ${statusCode}`);
    }
  }));
  await pool.close();
}
