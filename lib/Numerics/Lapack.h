//===- Lapack.h - the LAPACK routines in use ------------------*- C++ -*-===//
//
// LAPACK's Fortran interface is the one that all its implementations share.
// Matrices are column major.
//
//===----------------------------------------------------------------------===//

#ifndef LIB_NUMERICS_LAPACK_H
#define LIB_NUMERICS_LAPACK_H

extern "C" {
/// Eigenvalues and vectors of a symmetric matrix.
void dsyev_(const char *jobz, const char *uplo, const int *n, double *a,
            const int *lda, double *w, double *work, const int *lwork,
            int *info);
/// A factorisation Q R, and its Q.
void dgeqrf_(const int *m, const int *n, double *a, const int *lda, double *tau,
             double *work, const int *lwork, int *info);
void dorgqr_(const int *m, const int *n, const int *k, double *a,
             const int *lda, const double *tau, double *work, const int *lwork,
             int *info);
/// Eigenvalues of a general matrix.
void dgeev_(const char *jobvl, const char *jobvr, const int *n, double *a,
            const int *lda, double *wr, double *wi, double *vl, const int *ldvl,
            double *vr, const int *ldvr, double *work, const int *lwork,
            int *info);
/// Least squares of least norm by a rank-revealing factorisation.
void dgelsy_(const int *m, const int *n, const int *nrhs, double *a,
             const int *lda, double *b, const int *ldb, int *jpvt,
             const double *rcond, int *rank, double *work, const int *lwork,
             int *info);
}

#endif // LIB_NUMERICS_LAPACK_H
