/** Types that lead from a path of the reference to what it takes and gives. Nothing here is there at run time. */

import type { paths } from "./generated.js";

export type Method = "get" | "put" | "post" | "delete" | "patch";

type Operation<P extends keyof paths, M extends Method> = NonNullable<paths[P][M]>;

/** The paths that have a method. */
export type PathsWith<M extends Method> = {
  [P in keyof paths]: paths[P] extends { [K in M]: infer O } ? ([O] extends [undefined] ? never : P) : never;
}[keyof paths];

type Parameters<O, Kind extends string> = O extends { parameters: { [K in Kind]?: infer X } }
  ? NonNullable<X>
  : never;
type Json<R> = R extends { content: { "application/json": infer J } } ? J : never;
type Good<R> = { [S in keyof R]: S extends 200 | 201 | 202 ? Json<R[S]> : never }[keyof R];

/** The JSON of a good answer. */
export type Answer<P extends keyof paths, M extends Method> =
  Operation<P, M> extends { responses: infer R } ? Good<R> : never;

/** The paths of lists that come in pages. */
export type Lists = {
  [P in PathsWith<"get">]: Answer<P, "get"> extends { items: unknown[]; next_cursor?: string | null } ? P : never;
}[PathsWith<"get">];

/** What such a list is of. */
export type Item<P extends Lists> = Answer<P, "get"> extends { items: (infer I)[] } ? I : never;

/** The JSON that an operation takes. */
export type Body<P extends keyof paths, M extends Method> =
  Operation<P, M> extends { requestBody?: infer B } ? Json<NonNullable<B>> : never;

/** The query that an operation takes. */
export type Query<P extends keyof paths, M extends Method> = Parameters<Operation<P, M>, "query">;

type PathPart<O> = [Parameters<O, "path">] extends [never] ? { path?: never } : { path: Parameters<O, "path"> };
type QueryPart<O> = [Parameters<O, "query">] extends [never]
  ? { query?: never }
  : object extends Parameters<O, "query">
    ? { query?: Parameters<O, "query"> }
    : { query: Parameters<O, "query"> };

/** What an operation is asked with: its path and query parameters, and a signal that gives it up. */
export type Asked<P extends keyof paths, M extends Method> = PathPart<Operation<P, M>> &
  QueryPart<Operation<P, M>> & { signal?: AbortSignal };
